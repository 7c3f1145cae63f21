/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/exit.h"

#include "host/linux/hutch.h"

#define CREATE_TRACE_POINTS
#include "host/linux/trace.h"

/*
 * From the core to Linux's tracepoints. It calls them only while one of them is on: its
 * way from an exit back to the guest is short, and most of the time nobody listens.
 */

static unsigned int listeners;

/* One at a time: Linux's own lock of tracepoints is held. */
int trace_begin(void)
{
	listeners++;
	WRITE_ONCE(hv_tracing, true);
	return 0;
}

void trace_end(void)
{
	listeners--;
	WRITE_ONCE(hv_tracing, listeners);
}

void host_trace_exit(const struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	trace_hutch_exit(vcpu->id, vcpu->rip, exit);
}

void host_trace_inject(const struct hv_vcpu *vcpu, const struct hv_event *event)
{
	trace_hutch_inject(vcpu->id, vcpu->rip, event);
}
