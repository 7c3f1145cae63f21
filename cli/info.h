/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CLI_INFO_H
#define HUTCH_CLI_INFO_H

/*
 * What `hutch info` finds out, in three parts: what the hypervisor says of itself,
 * what the processor says, and what was measured, since neither of them says it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hutch/hutch.h"

/* ---- the hypervisor: info_capabilities.c ------------------------------------ */

struct info_capability {
	unsigned int number;
	const char *name;
	const char *use; /* what Hutch, or whoever writes a VMM, needs it for */
};

extern const struct info_capability info_capabilities[];
extern const size_t info_capability_count;

/* ---- the processor: info_processor.c, info_vmx.c ---------------------------- */

#define INFO_FEATURES_MAX 64

struct info_feature {
	const char *name;
	bool present;
};

struct info_features {
	struct info_feature list[INFO_FEATURES_MAX];
	size_t count;
};

enum info_source {
	INFO_NOT_READABLE,
	INFO_FROM_HYPERVISOR, /* KVM_GET_MSRS on the device: what a guest may be shown */
	INFO_FROM_PROCESSOR,  /* /dev/cpu/0/msr */
};

struct info_processor {
	char vendor[13];
	char brand[49];
	bool vmx, svm; /* CPUID says so */
	/* The firmware's switch, where its register could be read. */
	bool switch_readable, switched_off;
	enum info_source vmx_source;
	struct info_features vmx_features;
	struct info_features svm_features;
	uint32_t svm_asids, svm_revision, vmx_revision;
};

void info_read_processor(const struct hutch *hutch, struct info_processor *processor);

/* An MSR of the processor; false where neither the hypervisor nor /dev/cpu/0/msr gives it. */
bool info_read_msr(const struct hutch *hutch, uint32_t index, uint64_t *value,
		   enum info_source *source);

void info_add_feature(struct info_features *features, const char *name, bool present);

/* VT-x's sub-features, which are in capability MSRs and not in CPUID. */
void info_read_vmx(const struct hutch *hutch, struct info_processor *processor);

/* ---- measured: info_measure.c ------------------------------------------------ */

struct info_measured {
	bool ring0_native;
	double ring0_rate; /* instructions per second: a guest's ring 0... */
	double host_rate;  /* ...and this process, the same instructions */
	double exit_ns;	   /* the median round trip of a port I/O exit */
	char failure[256]; /* one line, when it could not be measured */
};

/* Takes a few hundredths of a second. False with @failure. */
bool info_measure(struct hutch *hutch, struct info_measured *measured);

/* ---- telling it: info_table.c, info_json.c ------------------------------------ */

struct info {
	const char *device;
	char reason[512]; /* why there is no hypervisor, when @hutch is NULL */
	struct hutch *hutch;
	char provider[32]; /* what the device's driver calls itself */
	char module[32];   /* of the kernel, that does the work; "" where none is known */
	struct info_processor processor;
	bool was_measured;
	struct info_measured measured;
};

void info_print_table(const struct info *info);

/* False when it could not be written. */
bool info_print_json(const struct info *info);

#endif
