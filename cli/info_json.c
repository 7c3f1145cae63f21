/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <jansson.h>
#include <stdio.h>

#include "cli/info.h"

/*
 * `hutch info --json`. The members are there for programs to rely on: they may become
 * more, but none goes away or changes its meaning.
 */

static json_t *features_object(const struct info_features *features)
{
	json_t *object = json_object();

	for (size_t i = 0; i < features->count; i++)
		json_object_set_new(object, features->list[i].name,
				    json_boolean(features->list[i].present));
	return object;
}

static json_t *vmx_object(const struct info_processor *processor)
{
	static const char *const sources[] = {
		[INFO_NOT_READABLE] = "not readable",
		[INFO_FROM_HYPERVISOR] = "hypervisor",
		[INFO_FROM_PROCESSOR] = "processor",
	};

	return json_pack("{s:b, s:s, s:i, s:o}", "present", processor->vmx, "source",
			 sources[processor->vmx_source], "revision", (int)processor->vmx_revision,
			 "features", features_object(&processor->vmx_features));
}

static json_t *svm_object(const struct info_processor *processor)
{
	return json_pack("{s:b, s:i, s:I, s:o}", "present", processor->svm, "revision",
			 (int)processor->svm_revision, "asids", (json_int_t)processor->svm_asids,
			 "features", features_object(&processor->svm_features));
}

static json_t *processor_object(const struct info_processor *processor)
{
	json_t *switched_off = processor->switch_readable ? json_boolean(processor->switched_off)
							  : json_null();

	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "vendor", processor->vendor, "brand",
			 processor->brand, "vmx", vmx_object(processor), "svm",
			 svm_object(processor), "disabled_by_firmware", switched_off);
}

static json_t *capabilities_object(const struct hutch *hutch)
{
	json_t *object = json_object();

	for (size_t i = 0; i < info_capability_count; i++)
		json_object_set_new(
			object, info_capabilities[i].name,
			json_integer(hutch_capability(hutch, info_capabilities[i].number)));
	return object;
}

static json_t *measured_object(const struct info *info)
{
	const struct info_measured *measured = &info->measured;

	if (!info->was_measured)
		return json_pack("{s:s}", "failure", measured->failure);
	return json_pack("{s:b, s:f, s:f, s:f}", "ring0_native", measured->ring0_native,
			 "ring0_instructions_per_second", measured->ring0_rate,
			 "host_instructions_per_second", measured->host_rate, "exit_round_trip_ns",
			 measured->exit_ns);
}

bool info_print_json(const struct info *info)
{
	json_t *root = json_pack("{s:b, s:s, s:o}", "available", info->hutch != NULL, "device",
				 info->device, "processor", processor_object(&info->processor));
	bool written;

	if (info->hutch) {
		json_object_set_new(root, "provider", json_string(info->provider));
		json_object_set_new(root, "module",
				    *info->module ? json_string(info->module) : json_null());
		json_object_set_new(root, "api_version", json_integer(KVM_API_VERSION));
		json_object_set_new(root, "capabilities", capabilities_object(info->hutch));
		json_object_set_new(root, "measured", measured_object(info));
	} else {
		json_object_set_new(root, "reason", json_string(info->reason));
	}
	written = root && !json_dumpf(root, stdout, JSON_INDENT(2)) && putchar('\n') != EOF;
	json_decref(root);
	return written;
}
