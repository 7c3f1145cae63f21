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
	json_t *object = json_object();

	json_object_set_new(object, "present", json_boolean(processor->vmx));
	json_object_set_new(object, "source", json_string(sources[processor->vmx_source]));
	json_object_set_new(object, "revision", json_integer(processor->vmx_revision));
	json_object_set_new(object, "features", features_object(&processor->vmx_features));
	return object;
}

static json_t *svm_object(const struct info_processor *processor)
{
	json_t *object = json_object();

	json_object_set_new(object, "present", json_boolean(processor->svm));
	json_object_set_new(object, "revision", json_integer(processor->svm_revision));
	json_object_set_new(object, "asids", json_integer(processor->svm_asids));
	json_object_set_new(object, "features", features_object(&processor->svm_features));
	return object;
}

static json_t *processor_object(const struct info_processor *processor)
{
	json_t *object = json_object();

	json_object_set_new(object, "vendor", json_string(processor->vendor));
	json_object_set_new(object, "brand", json_string(processor->brand));
	json_object_set_new(object, "vmx", vmx_object(processor));
	json_object_set_new(object, "svm", svm_object(processor));
	json_object_set_new(object, "disabled_by_firmware",
			    processor->switch_readable ? json_boolean(processor->switched_off)
						       : json_null());
	return object;
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
	json_t *object = json_object();

	if (!info->was_measured) {
		json_object_set_new(object, "failure", json_string(measured->failure));
		return object;
	}
	json_object_set_new(object, "ring0_native", json_boolean(measured->ring0_native));
	json_object_set_new(object, "ring0_instructions_per_second",
			    json_real(measured->ring0_rate));
	json_object_set_new(object, "host_instructions_per_second", json_real(measured->host_rate));
	json_object_set_new(object, "exit_round_trip_ns", json_real(measured->exit_ns));
	return object;
}

bool info_print_json(const struct info *info)
{
	json_t *root = json_object();
	bool written;

	json_object_set_new(root, "available", json_boolean(info->hutch != NULL));
	json_object_set_new(root, "device", json_string(info->device));
	json_object_set_new(root, "processor", processor_object(&info->processor));
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
