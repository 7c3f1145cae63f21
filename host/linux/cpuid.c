/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/cpuid_policy.h"
#include "host/linux/hutch.h"

#include <linux/slab.h>
#include <linux/uaccess.h>

/*
 * CPUID tables between the VMM and the core (Linux, Documentation/virt/kvm/api.rst, 4.46,
 * 4.20 and 4.42). What the guest sees is the VMM's table and nothing else; what would be
 * good to put there is the policy's.
 */

uint64_t cpuid_xcr0(void)
{
	return cpuid_policy_xcr0();
}

void cpuid_free(struct hutch_vcpu *vcpu)
{
	own_free(vcpu->hv.cpuid);
	vcpu->hv.cpuid = NULL;
}

/* ---- giving out ---------------------------------------------------------------------------- */

static int write_entry(struct kvm_cpuid_entry2 __user *to, const struct hv_cpuid *from)
{
	struct kvm_cpuid_entry2 entry = {
		.function = from->function,
		.index = from->index,
		.flags = from->indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = from->eax,
		.ebx = from->ebx,
		.ecx = from->ecx,
		.edx = from->edx,
	};

	return copy_to_user(to, &entry, sizeof(entry)) ? -EFAULT : 0;
}

static long write_table(unsigned long argument, const struct hv_cpuid *entries, unsigned int count)
{
	struct kvm_cpuid2 __user *to = user_pointer(argument);
	uint32_t room;
	unsigned int i;

	if (get_user(room, &to->nent))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	for (i = 0; i < count; i++)
		if (write_entry(&to->entries[i], &entries[i]))
			return -EFAULT;
	return put_user(count, &to->nent);
}

SYSTEM_HANDLER(system_supported_cpuid)
{
	struct hv_cpuid *entries = own_alloc(HV_CPUID_MAX * sizeof(*entries));
	unsigned int count;
	long result;

	if (!entries)
		return -ENOMEM;
	count = cpuid_policy(entries, HV_CPUID_MAX, host_counts_run_delay());
	result = count > HV_CPUID_MAX ? -E2BIG : write_table(argument, entries, count);
	own_free(entries);
	return result;
}

/* Nothing that the processor lacks is emulated: leaf 0, which says that no leaf follows. */
SYSTEM_HANDLER(system_emulated_cpuid)
{
	const struct hv_cpuid none = { .function = 0 };

	return write_table(argument, &none, 1);
}

VCPU_HANDLER(vcpu_get_cpuid2)
{
	struct kvm_cpuid2 __user *to = user_pointer(argument);
	long result = write_table(argument, vcpu->hv.cpuid, vcpu->hv.cpuid_count);

	if (result == -E2BIG && put_user(vcpu->hv.cpuid_count, &to->nent))
		return -EFAULT;
	return result;
}

/* ---- taking ------------------------------------------------------------------------------------ */

/* The table becomes the vCPU's, which owns it. */
static void set_table(struct hutch_vcpu *vcpu, struct hv_cpuid *table, unsigned int count)
{
	struct hv_cpuid *before = vcpu->hv.cpuid;

	hv_vcpu_set_cpuid(&vcpu->hv, table, count);
	own_free(before);
}

static struct hv_cpuid *new_table(uint32_t count)
{
	if (count > HV_CPUID_MAX)
		return ERR_PTR(-E2BIG);
	/* One more, so that an empty table is one, too. */
	return own_alloc(array_size(count + 1, sizeof(struct hv_cpuid))) ?: ERR_PTR(-ENOMEM);
}

static int read_entry2(struct hv_cpuid *to, const struct kvm_cpuid_entry2 __user *from)
{
	struct kvm_cpuid_entry2 entry;

	if (copy_from_user(&entry, from, sizeof(entry)))
		return -EFAULT;
	*to = (struct hv_cpuid){
		.function = entry.function,
		.index = entry.index,
		.indexed = entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = entry.eax,
		.ebx = entry.ebx,
		.ecx = entry.ecx,
		.edx = entry.edx,
	};
	return 0;
}

VCPU_HANDLER(vcpu_set_cpuid2)
{
	const struct kvm_cpuid2 __user *from = user_pointer(argument);
	struct hv_cpuid *table;
	uint32_t count, i;

	if (get_user(count, &from->nent))
		return -EFAULT;
	table = new_table(count);
	if (IS_ERR(table))
		return PTR_ERR(table);
	for (i = 0; i < count; i++) {
		if (read_entry2(&table[i], &from->entries[i])) {
			own_free(table);
			return -EFAULT;
		}
	}
	set_table(vcpu, table, count);
	return 0;
}

static int read_entry(struct hv_cpuid *to, const struct kvm_cpuid_entry __user *from)
{
	struct kvm_cpuid_entry entry;

	if (copy_from_user(&entry, from, sizeof(entry)))
		return -EFAULT;
	*to = (struct hv_cpuid){
		.function = entry.function,
		.eax = entry.eax,
		.ebx = entry.ebx,
		.ecx = entry.ecx,
		.edx = entry.edx,
	};
	return 0;
}

VCPU_HANDLER(vcpu_set_cpuid)
{
	const struct kvm_cpuid __user *from = user_pointer(argument);
	struct hv_cpuid *table;
	uint32_t count, i;

	if (get_user(count, &from->nent))
		return -EFAULT;
	table = new_table(count);
	if (IS_ERR(table))
		return PTR_ERR(table);
	for (i = 0; i < count; i++) {
		if (read_entry(&table[i], &from->entries[i])) {
			own_free(table);
			return -EFAULT;
		}
	}
	set_table(vcpu, table, count);
	return 0;
}
