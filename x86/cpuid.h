/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_CPUID_H
#define HUTCH_X86_CPUID_H

/*
 * CPUID is the instruction by which a processor describes itself: a leaf number in
 * EAX, for some leaves a subleaf in ECX, and four registers come back, most of them
 * made of single bits that each promise a feature. What the bits are called stands
 * in x86/cpuid.def; this header makes an enum and a table of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpuid_register {
	CPUID_EAX,
	CPUID_EBX,
	CPUID_ECX,
	CPUID_EDX,
	CPUID_REGISTER_COUNT,
};

/* CPUID_LEAF_VERSION, CPUID_LEAF_TOPOLOGY, ...: the leaves' numbers. */
enum cpuid_leaf {
#define CPUID_LEAF(name, leaf, has_subleaves, about) CPUID_LEAF_##name = leaf,
#include "x86/cpuid.def"
};

/* CPUID_FEATURE_SSE3, ...: the features' places in cpuid_features[]. */
enum cpuid_feature_index {
#define CPUID_FEATURE(name, leaf, subleaf, reg, bit, text) CPUID_FEATURE_##name,
#include "x86/cpuid.def"
	CPUID_FEATURE_COUNT,
};

struct cpuid_feature {
	const char *name;
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t reg; /* enum cpuid_register */
	uint8_t bit;
};

extern const struct cpuid_feature cpuid_features[CPUID_FEATURE_COUNT];

/* The longest name is shorter than this. */
#define CPUID_NAME_MAX 32

/*
 * The feature of this name, or alias, of @length characters; case, '-', '_' and '.'
 * do not matter. NULL where there is none.
 */
const struct cpuid_feature *cpuid_feature_find(const char *name, size_t length);

/* The feature whose name is most like this one, for a message; NULL where none is near. */
const struct cpuid_feature *cpuid_feature_nearest(const char *name, size_t length);

/* The feature that this bit stands for, or NULL. */
const struct cpuid_feature *cpuid_feature_at(uint32_t leaf, uint32_t subleaf,
					     enum cpuid_register reg, unsigned int bit);

/* "EAX", "EBX", "ECX", "EDX". */
const char *cpuid_register_name(enum cpuid_register reg);

/* What a leaf is about, in a few words; NULL for one that has no name here. */
const char *cpuid_leaf_about(uint32_t leaf);

/* Whether ECX selects a subleaf of it. */
bool cpuid_leaf_has_subleaves(uint32_t leaf);

/* Other names of features, for lists that are to be complete. */
struct cpuid_alias {
	const char *name;
	enum cpuid_feature_index feature;
};
extern const struct cpuid_alias cpuid_aliases[];
extern const size_t cpuid_alias_count;

struct cpuid_registers {
	uint32_t value[CPUID_REGISTER_COUNT];
};

/* Executes CPUID on the processor this code runs on. */
static inline struct cpuid_registers cpuid_execute(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_registers out;

	__asm__ volatile("cpuid"
			 : "=a"(out.value[CPUID_EAX]), "=b"(out.value[CPUID_EBX]),
			   "=c"(out.value[CPUID_ECX]), "=d"(out.value[CPUID_EDX])
			 : "a"(leaf), "c"(subleaf));
	return out;
}

#endif
