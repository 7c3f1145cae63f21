/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "cli/info.h"

/* `hutch info` for people: what is there first, what was measured, and then the details. */

#define LABEL_WIDTH 13
#define LINE_WIDTH  88

/* A line of the table; further lines of the same row have no label. */
#define ROW(label, format, ...) printf("%-*s" format "\n", LABEL_WIDTH, label, ##__VA_ARGS__)

/* The names of features that are there, or of those that are not, over as many lines as needed. */
static void print_features(const char *label, const struct info_features *features, bool present)
{
	size_t column = 0;

	for (size_t i = 0; i < features->count; i++) {
		const char *name = features->list[i].name;

		if (features->list[i].present != present)
			continue;
		if (column && column + strlen(name) + 2 > LINE_WIDTH) {
			printf(",\n");
			column = 0;
			label = "";
		}
		column += (size_t)(column ? printf(", %s", name)
					  : printf("%-*s%s", LABEL_WIDTH, label, name));
	}
	if (column)
		printf("\n");
}

static void print_vmx(const struct info_processor *processor)
{
	switch (processor->vmx_source) {
	case INFO_NOT_READABLE:
		ROW("VT-x", "yes; what it can do is in MSRs that cannot be read (as root: "
			    "modprobe msr)");
		return;
	case INFO_FROM_HYPERVISOR:
		ROW("VT-x", "yes, revision 0x%x; as the hypervisor would show it to a guest",
		    processor->vmx_revision);
		break;
	case INFO_FROM_PROCESSOR:
		ROW("VT-x", "yes, revision 0x%x", processor->vmx_revision);
		break;
	}
	print_features("  has", &processor->vmx_features, true);
	print_features("  lacks", &processor->vmx_features, false);
}

static void print_svm(const struct info_processor *processor)
{
	ROW("AMD-V", "yes, revision %u, %u ASIDs", processor->svm_revision, processor->svm_asids);
	print_features("  has", &processor->svm_features, true);
	print_features("  lacks", &processor->svm_features, false);
}

static void print_processor(const struct info *info)
{
	const struct info_processor *processor = &info->processor;

	ROW("processor", "%s (%s)", *processor->brand ? processor->brand : "no brand string",
	    processor->vendor);
	if (processor->vmx)
		print_vmx(processor);
	else
		ROW("VT-x", "not shown by CPUID");
	if (processor->svm)
		print_svm(processor);
	else
		ROW("AMD-V", "not shown by CPUID");
	if (processor->switch_readable)
		ROW("firmware", "has it switched %s", processor->switched_off ? "off" : "on");
	if (info->was_measured && !processor->vmx && !processor->svm)
		ROW("", "yet guests run: the hypervisor does without them, as PVM does, or they "
			"are hidden");
}

/* 2.1 million, 5.2 billion. */
static void print_rate(const char *before, double rate, const char *after)
{
	if (rate >= 1e9)
		printf("%s%.1f billion%s", before, rate / 1e9, after);
	else if (rate >= 1e6)
		printf("%s%.1f million%s", before, rate / 1e6, after);
	else
		printf("%s%.0f%s", before, rate, after);
}

static void print_measured(const struct info *info)
{
	const struct info_measured *measured = &info->measured;

	if (!info->was_measured) {
		ROW("measured", "nothing: %s", measured->failure);
		return;
	}
	printf("%-*s%s", LABEL_WIDTH, "ring 0",
	       measured->ring0_native ? "native: the processor executes a guest's kernel itself"
				      : "emulated: the hypervisor interprets a guest's kernel");
	print_rate("\n             ", measured->ring0_rate, " instructions/s there");
	print_rate(", ", measured->host_rate, " here\n");
	ROW("exit", "%.0f ns round trip (port I/O, median)", measured->exit_ns);
}

void info_print_table(const struct info *info)
{
	ROW("hypervisor", "%s: %s%s%s, API version %d", info->device, info->provider,
	    *info->module ? " with module " : "", info->module, KVM_API_VERSION);
	print_measured(info);
	print_processor(info);
	printf("\ncapabilities\n");
	for (size_t i = 0; i < info_capability_count; i++)
		printf("  %-34s %8d  %s\n", info_capabilities[i].name,
		       hutch_capability(info->hutch, info_capabilities[i].number),
		       info_capabilities[i].use);
}
