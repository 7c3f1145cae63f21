/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_CPU_POLICY_H
#define HUTCH_VMM_CPU_POLICY_H

/*
 * What the user wants the guest's processor to look like, in the words of --cpu:
 *
 *	--cpu host
 *	--cpu x86-64-v3,+aes,-rdrand,+avx512f?
 *	--cpu minimal,vendor=GenuineIntel,brand="Just a processor",0x7:0:ebx=0/0x20
 *
 * A template first ("host" where none is given), then changes that are made from left
 * to right. This file is about the words; what they do to CPUID is vmm/cpuid.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "x86/cpuid.h"

enum cpu_template {
	CPU_TEMPLATE_HOST,    /* all that the hypervisor offers */
	CPU_TEMPLATE_MINIMAL, /* the x86-64 of 2003: the baseline of the psABI */
	CPU_TEMPLATE_V2,      /* the psABI's x86-64-v2: SSE4.2, CMPXCHG16B, POPCNT */
	CPU_TEMPLATE_V3,      /* x86-64-v3: AVX2, BMI, FMA, MOVBE */
	CPU_TEMPLATE_V4,      /* x86-64-v4: AVX-512 */
	CPU_TEMPLATE_COMPAT,  /* what Intel's and AMD's processors of ten years share */
	CPU_TEMPLATE_COUNT,
};

enum cpu_rule_kind {
	CPU_RULE_ADD,		 /* +feature: refused where the hypervisor lacks it */
	CPU_RULE_ADD_IF_OFFERED, /* +feature?: left out, with a warning, in that case */
	CPU_RULE_REMOVE,	 /* -feature */
	CPU_RULE_SET,		 /* leaf:subleaf:register=value/mask */
};

struct cpu_rule {
	enum cpu_rule_kind kind;
	const struct cpuid_feature *feature; /* NULL for CPU_RULE_SET */
	uint32_t leaf, subleaf;
	enum cpuid_register reg;
	uint32_t value, mask;
};

#define CPU_POLICY_RULES_MAX 128
#define CPU_VENDOR_SIZE	     12
#define CPU_BRAND_SIZE	     48

struct cpu_policy {
	enum cpu_template template;
	struct cpu_rule rules[CPU_POLICY_RULES_MAX];
	unsigned int rule_count;
	bool has_vendor, has_brand;
	char vendor[CPU_VENDOR_SIZE + 1];
	char brand[CPU_BRAND_SIZE];
};

/*
 * Reads the text of --cpu (NULL or "": host, unchanged). Returns 0, or -EINVAL with one
 * line in @error that names the item, what is wrong with it and what was probably meant.
 */
int cpu_policy_parse(const char *text, struct cpu_policy *policy, char *error, size_t size);

/* "host", "minimal", ...; and one line about each, for --help and the man page. */
const char *cpu_template_name(enum cpu_template template);
const char *cpu_template_summary(enum cpu_template template);

/* All templates, features and other names of features: --cpu help. */
void cpu_policy_print_words(FILE *out);

#endif
