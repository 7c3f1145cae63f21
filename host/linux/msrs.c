/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/registers.h"

#include "host/linux/hutch.h"

#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

/*
 * MSRs as the VMM reads, writes and lists them (Linux, Documentation/virt/kvm/api.rst,
 * 4.3, 4.18, 4.19).
 */

#define ENTRIES_MAX 256

/* ---- lists ------------------------------------------------------------------------------------ */

/* One of the core's; false behind the last. Position 0 may well be MSR 0. */
static bool listed_msr(unsigned int position, uint32_t *index)
{
	*index = hv_msr_list(position);
	return *index || !position;
}

/*
 * What KVM_GET_MSRS tells on the device itself: properties of this processor that CPUID
 * does not have, and what guests can have of the two that list capabilities.
 */
static const uint32_t feature_msrs[] = { IA32_BIOS_SIGN_ID, AMD_DE_CFG, IA32_ARCH_CAPABILITIES,
					 IA32_PERF_CAPABILITIES };

static bool feature_is_here(uint32_t index)
{
	return index != AMD_DE_CFG || boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	       boot_cpu_data.x86_vendor == X86_VENDOR_HYGON;
}

/* Guests have no performance counters, and no MSR that says what they need not fear. */
static bool read_feature_msr(uint32_t index, uint64_t *value)
{
	if (index != IA32_ARCH_CAPABILITIES && index != IA32_PERF_CAPABILITIES)
		return !rdmsrl_safe(index, value);
	*value = 0;
	return true;
}

static bool feature_entry(unsigned int position, uint32_t *index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(feature_msrs); i++) {
		if (!feature_is_here(feature_msrs[i]) || position--)
			continue;
		*index = feature_msrs[i];
		return true;
	}
	return false;
}

static long write_list(unsigned long argument,
		       bool (*entry)(unsigned int position, uint32_t *index))
{
	struct kvm_msr_list __user *to = user_pointer(argument);
	uint32_t room, count = 0, index;

	if (get_user(room, &to->nmsrs))
		return -EFAULT;
	while (entry(count, &index))
		count++;
	if (put_user(count, &to->nmsrs))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	for (count = 0; entry(count, &index); count++)
		if (put_user(index, &to->indices[count]))
			return -EFAULT;
	return 0;
}

SYSTEM_HANDLER(system_msr_index_list)
{
	return write_list(argument, listed_msr);
}

SYSTEM_HANDLER(system_msr_feature_index_list)
{
	return write_list(argument, feature_entry);
}

/* ---- values ------------------------------------------------------------------------------------- */

/* Calls @access for each in turn until one fails, and says how many have not. */
static long each(unsigned long argument, void *context, bool write_back,
		 bool (*access)(void *context, struct kvm_msr_entry *entry))
{
	struct kvm_msrs __user *msrs = user_pointer(argument);
	struct kvm_msr_entry entry;
	uint32_t count, i;

	if (get_user(count, &msrs->nmsrs))
		return -EFAULT;
	if (count > ENTRIES_MAX)
		return -E2BIG;
	for (i = 0; i < count; i++) {
		if (copy_from_user(&entry, &msrs->entries[i], sizeof(entry)))
			return -EFAULT;
		if (!access(context, &entry))
			break;
		if (write_back && copy_to_user(&msrs->entries[i], &entry, sizeof(entry)))
			return -EFAULT;
	}
	return i;
}

static bool read_feature(void *context, struct kvm_msr_entry *entry)
{
	unsigned int position;
	uint32_t index;

	for (position = 0; feature_entry(position, &index); position++) {
		if (index == entry->index)
			return read_feature_msr(index, &entry->data);
	}
	return false;
}

SYSTEM_HANDLER(system_get_msrs)
{
	return each(argument, NULL, true, read_feature);
}

static bool read_guest(void *context, struct kvm_msr_entry *entry)
{
	struct hutch_vcpu *vcpu = context;
	uint64_t value;

	if (!hv_vcpu_get_msr(&vcpu->hv, entry->index, &value))
		return false;
	entry->data = value;
	return true;
}

static bool write_guest(void *context, struct kvm_msr_entry *entry)
{
	struct hutch_vcpu *vcpu = context;

	return hv_vcpu_set_msr(&vcpu->hv, entry->index, entry->data);
}

VCPU_HANDLER(vcpu_get_msrs)
{
	return each(argument, vcpu, true, read_guest);
}

VCPU_HANDLER(vcpu_set_msrs)
{
	return each(argument, vcpu, false, write_guest);
}
