/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "vmm/cpuid_edit.h"

/*
 * CPUID for people: what a table shows to the guest, which of its bits a hypervisor
 * does not want, and what all the words are that --cpu understands.
 */

#define LINE_WIDTH 88

static void print_vendor(FILE *out, const struct kvm_cpuid2 *table)
{
	const struct kvm_cpuid_entry2 *first = cpuid_find(table, CPUID_LEAF_VENDOR, 0);
	uint32_t version = cpuid_get(table, CPUID_LEAF_VERSION, 0, CPUID_EAX);
	uint32_t family = version >> 8 & 0xf, model = version >> 4 & 0xf;
	char vendor[CPU_VENDOR_SIZE + 1] = "";

	if (first) {
		memcpy(vendor, &first->ebx, 4);
		memcpy(vendor + 4, &first->edx, 4);
		memcpy(vendor + 8, &first->ecx, 4);
	}
	/* SDM 2A, "CPUID", figure 3-6: the extended parts count for these families only. */
	if (family == 0x6 || family == 0xf)
		model |= version >> 12 & 0xf0;
	if (family == 0xf)
		family += version >> 20 & 0xff;
	fprintf(out, "  vendor    %s, family %u, model %u, stepping %u\n", vendor, family, model,
		version & 0xf);
}

static void print_brand(FILE *out, const struct kvm_cpuid2 *table)
{
	char brand[CPU_BRAND_SIZE + 1] = "";

	for (uint32_t i = 0; i < CPU_BRAND_SIZE / 4; i++) {
		uint32_t word = cpuid_get(table, CPUID_LEAF_BRAND_1 + i / 4, 0,
					  (enum cpuid_register)(i % 4));

		memcpy(brand + 4 * (size_t)i, &word, 4);
	}
	if (brand[0])
		fprintf(out, "  brand     %s\n", brand);
}

/* Words that are wrapped, each line but the first behind @indent blanks. */
struct paragraph {
	FILE *out;
	size_t indent, column;
};

static void print_word(struct paragraph *paragraph, const char *word)
{
	if (paragraph->column + 1 + strlen(word) > LINE_WIDTH)
		paragraph->column =
			(size_t)fprintf(paragraph->out, "\n%*s", (int)paragraph->indent, "") - 1;
	paragraph->column += (size_t)fprintf(paragraph->out, " %s", word);
}

static void print_features(FILE *out, const struct kvm_cpuid2 *table)
{
	struct paragraph paragraph = { .out = out, .indent = 11 };

	paragraph.column = (size_t)fprintf(out, "  features ");
	for (int i = 0; i < CPUID_FEATURE_COUNT; i++)
		if (cpuid_has(table, &cpuid_features[i]))
			print_word(&paragraph, cpuid_features[i].name);
	fputc('\n', out);
}

static int compare_entries(const void *left, const void *right)
{
	const struct kvm_cpuid_entry2 *a = left, *b = right;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void print_entries(FILE *out, const struct kvm_cpuid2 *table)
{
	struct kvm_cpuid_entry2 sorted[CPUID_ENTRIES_MAX];
	size_t count = table->nent < CPUID_ENTRIES_MAX ? table->nent : CPUID_ENTRIES_MAX;

	memcpy(sorted, table->entries, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare_entries);
	fprintf(out, "  leaf        subleaf      EAX      EBX      ECX      EDX\n");
	for (size_t i = 0; i < count; i++) {
		const struct kvm_cpuid_entry2 *entry = &sorted[i];
		const char *about = cpuid_leaf_about(entry->function);

		fprintf(out, "  0x%08x", entry->function);
		if (entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)
			fprintf(out, " %8u", entry->index);
		else
			fprintf(out, " %8s", "-");
		fprintf(out, " %08x %08x %08x %08x  %s\n", entry->eax, entry->ebx, entry->ecx,
			entry->edx, about ? about : "");
	}
}

void cpuid_print(FILE *out, const struct kvm_cpuid2 *table)
{
	print_vendor(out, table);
	print_brand(out, table);
	print_features(out, table);
	print_entries(out, table);
}

static bool same_register(const struct cpuid_feature *a, const struct cpuid_feature *b)
{
	return a->leaf == b->leaf && a->subleaf == b->subleaf && a->reg == b->reg;
}

void cpu_policy_print_words(FILE *out)
{
	struct paragraph paragraph = { .out = out, .indent = 22 };

	fprintf(out, "templates\n");
	for (int i = 0; i < CPU_TEMPLATE_COUNT; i++)
		fprintf(out, "  %-10s %s\n", cpu_template_name((enum cpu_template)i),
			cpu_template_summary((enum cpu_template)i));
	fprintf(out, "\nfeatures, by leaf, subleaf and register");
	for (int i = 0; i < CPUID_FEATURE_COUNT; i++) {
		const struct cpuid_feature *feature = &cpuid_features[i];

		if (!i || !same_register(feature, feature - 1))
			paragraph.column = (size_t)fprintf(
				out, "\n  0x%-10x %3u %s", feature->leaf, feature->subleaf,
				cpuid_register_name((enum cpuid_register)feature->reg));
		print_word(&paragraph, feature->name);
	}
	fprintf(out, "\n\nother names\n");
	for (size_t i = 0; i < cpuid_alias_count; i++)
		fprintf(out, "  %-20s %s\n", cpuid_aliases[i].name,
			cpuid_features[cpuid_aliases[i].feature].name);
}

/* The search for refused bits: a candidate is what is surely taken, plus the suspect. */
struct search {
	const struct kvm_cpuid2 *table, *supported;
	struct kvm_cpuid2 *candidate;
	bool (*accepts)(void *context, const struct kvm_cpuid2 *candidate);
	void *context;
	char *text;
	size_t size;
	unsigned int found;
};

static void reset_candidate(struct search *search)
{
	search->candidate->nent = search->supported->nent;
	memcpy(search->candidate->entries, search->supported->entries,
	       search->supported->nent * sizeof(search->candidate->entries[0]));
}

/* Whether the supported table is taken with these bits of one register as they are wanted. */
static bool taken_with(struct search *search, const struct kvm_cpuid_entry2 *wanted,
		       enum cpuid_register reg, uint32_t mask)
{
	struct kvm_cpuid_entry2 copy = *wanted;

	reset_candidate(search);
	return cpuid_set(search->candidate, copy.function, copy.index, reg,
			 *cpuid_register_of(&copy, reg) & mask, mask) &&
	       search->accepts(search->context, search->candidate);
}

static void note_refused(struct search *search, const struct kvm_cpuid_entry2 *entry,
			 enum cpuid_register reg, unsigned int bit)
{
	const struct cpuid_feature *feature =
		cpuid_feature_at(entry->function, entry->index, reg, bit);
	size_t used = strlen(search->text);

	snprintf(search->text + used, search->size - used, "%s%s%sleaf 0x%x:%u %s bit %u%s",
		 search->found ? ", " : "", feature ? feature->name : "", feature ? " (" : "",
		 entry->function, entry->index, cpuid_register_name(reg), bit, feature ? ")" : "");
	search->found++;
}

static void search_register(struct search *search, const struct kvm_cpuid_entry2 *entry,
			    enum cpuid_register reg)
{
	struct kvm_cpuid_entry2 copy = *entry;
	uint32_t differing = *cpuid_register_of(&copy, reg) ^
			     cpuid_get(search->supported, entry->function, entry->index, reg);

	if (!differing || taken_with(search, entry, reg, differing))
		return;
	for (unsigned int bit = 0; bit < 32; bit++)
		if (differing >> bit & 1 && !taken_with(search, entry, reg, 1u << bit))
			note_refused(search, entry, reg, bit);
}

unsigned int cpuid_find_refused(const struct kvm_cpuid2 *table, const struct kvm_cpuid2 *supported,
				bool (*accepts)(void *context, const struct kvm_cpuid2 *candidate),
				void *context, char *text, size_t size)
{
	struct search search = {
		.table = table,
		.supported = supported,
		.accepts = accepts,
		.context = context,
		.text = text,
		.size = size,
	};

	text[0] = '\0';
	if (supported->nent > CPUID_ENTRIES_MAX || !accepts(context, supported))
		return 0;
	search.candidate =
		calloc(1, sizeof(*search.candidate) +
				  CPUID_ENTRIES_MAX * sizeof(search.candidate->entries[0]));
	if (!search.candidate)
		return 0;
	for (uint32_t i = 0; i < table->nent; i++)
		for (int r = 0; r < CPUID_REGISTER_COUNT; r++)
			search_register(&search, &table->entries[i], (enum cpuid_register)r);
	free(search.candidate);
	return search.found;
}
