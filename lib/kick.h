/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_KICK_H
#define HUTCH_LIB_KICK_H

/* Fetching a vCPU out of the guest from outside; how it works is told in kick.c. */

struct hutch_vcpu;

/* Binds the vCPU to the calling thread while it is to be kicked by a signal. */
int kick_bind(struct hutch_vcpu *vcpu);
void kick_unbind(struct hutch_vcpu *vcpu);

/* After KVM_RUN said EINTR: the kick, if there was one, is over. */
void kick_consume(struct hutch_vcpu *vcpu);

/* Makes KVM_RUN return before the guest runs, and takes that back without losing a kick. */
void kick_hold(struct hutch_vcpu *vcpu);
void kick_release(struct hutch_vcpu *vcpu);

#endif
