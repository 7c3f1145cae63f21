/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/cpuid.h"

/*
 * The table of features that x86/cpuid.def spells out, and the ways to look into it:
 * by name as a user types it, and by leaf, register and bit as a hypervisor meets it.
 * It is searched from end to end: a few hundred rows, a few times at start.
 */

const struct cpuid_feature cpuid_features[CPUID_FEATURE_COUNT] = {
#define CPUID_FEATURE(name, leaf, subleaf, reg, bit, text) \
	[CPUID_FEATURE_##name] = { text, leaf, subleaf, CPUID_##reg, bit },
#include "x86/cpuid.def"
};

const struct cpuid_alias cpuid_aliases[] = {
#define CPUID_ALIAS(name, text) { text, CPUID_FEATURE_##name },
#include "x86/cpuid.def"
};

const size_t cpuid_alias_count = sizeof(cpuid_aliases) / sizeof(cpuid_aliases[0]);

static const struct {
	uint32_t leaf;
	bool has_subleaves;
	const char *about;
} leaves[] = {
#define CPUID_LEAF(name, leaf, has_subleaves, about) { leaf, has_subleaves, about },
#include "x86/cpuid.def"
};

/*
 * A name as it is compared: small letters and digits only, ended by a zero byte.
 * Returns its length, 0 where it has none of them or more than any name has.
 */
static size_t canonical(char out[CPUID_NAME_MAX], const char *name, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length && name[i]; i++) {
		char c = name[i];

		if (c == '-' || c == '_' || c == '.')
			continue;
		if (used == CPUID_NAME_MAX - 1)
			return 0;
		out[used++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[used] = '\0';
	return used;
}

/*
 * How many characters must be put in, taken out or replaced to make @b of @a
 * (Levenshtein's distance), one row of his matrix at a time.
 */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t row[CPUID_NAME_MAX + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_length];
}

/* Names first, aliases behind them. */
static const char *any_name(size_t i, const struct cpuid_feature **feature)
{
	if (i < CPUID_FEATURE_COUNT) {
		*feature = &cpuid_features[i];
		return cpuid_features[i].name;
	}
	i -= CPUID_FEATURE_COUNT;
	*feature = &cpuid_features[cpuid_aliases[i].feature];
	return cpuid_aliases[i].name;
}

/* The feature whose name is nearest, if it is no farther away than @limit. */
static const struct cpuid_feature *nearest_within(const char *name, size_t length, size_t limit)
{
	const struct cpuid_feature *found = NULL;

	for (size_t i = 0; i < CPUID_FEATURE_COUNT + cpuid_alias_count; i++) {
		const struct cpuid_feature *feature;
		char other[CPUID_NAME_MAX];
		size_t other_length = canonical(other, any_name(i, &feature), CPUID_NAME_MAX);
		size_t away = distance(name, length, other, other_length);

		if (away < limit || (away == limit && !found)) {
			found = feature;
			limit = away;
		}
	}
	return found;
}

const struct cpuid_feature *cpuid_feature_find(const char *name, size_t length)
{
	char wanted[CPUID_NAME_MAX];
	size_t wanted_length = canonical(wanted, name, length);

	return wanted_length ? nearest_within(wanted, wanted_length, 0) : NULL;
}

const struct cpuid_feature *cpuid_feature_nearest(const char *name, size_t length)
{
	char wanted[CPUID_NAME_MAX];
	size_t wanted_length = canonical(wanted, name, length);

	/* One slip in three characters is a typing error; more is another word. */
	return wanted_length ? nearest_within(wanted, wanted_length, (wanted_length + 2) / 3)
			     : NULL;
}

const struct cpuid_feature *cpuid_feature_at(uint32_t leaf, uint32_t subleaf,
					     enum cpuid_register reg, unsigned int bit)
{
	for (size_t i = 0; i < CPUID_FEATURE_COUNT; i++) {
		const struct cpuid_feature *feature = &cpuid_features[i];

		if (feature->leaf == leaf && feature->subleaf == subleaf && feature->reg == reg &&
		    feature->bit == bit)
			return feature;
	}
	return NULL;
}

const char *cpuid_register_name(enum cpuid_register reg)
{
	static const char *const names[CPUID_REGISTER_COUNT] = {
		[CPUID_EAX] = "EAX",
		[CPUID_EBX] = "EBX",
		[CPUID_ECX] = "ECX",
		[CPUID_EDX] = "EDX",
	};

	return (unsigned int)reg < CPUID_REGISTER_COUNT ? names[reg] : "?";
}

const char *cpuid_leaf_about(uint32_t leaf)
{
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (leaves[i].leaf == leaf)
			return leaves[i].about;
	return NULL;
}

bool cpuid_leaf_has_subleaves(uint32_t leaf)
{
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (leaves[i].leaf == leaf)
			return leaves[i].has_subleaves;
	return false;
}
