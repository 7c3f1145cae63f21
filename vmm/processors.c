/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/processors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/system.h"
#include "vmm/cpuid.h"
#include "vmm/machine.h"
#include "vmm/mptable.h"
#include "x86/msr_names.h"
#include "x86/registers.h"

/*
 * A processor comes out of RESET knowing little. What a PC's firmware does before it
 * starts a kernel has to be done from outside: caching is switched on by the MTRRs,
 * fast strings are allowed, and CPUID tells of as many processors as there are.
 */

static int library_error(struct machine *machine, int error)
{
	snprintf(machine->error, sizeof(machine->error), "%s", hutch_error());
	return error;
}

static int check_count(struct machine *machine)
{
	int most;

	/* One there is everywhere, so it is not asked for. */
	if (machine->cpu_count == 1)
		return 0;
	most = hutch_capability(machine->hutch, KVM_CAP_MAX_VCPUS);
	if (most <= 0)
		most = hutch_capability(machine->hutch, KVM_CAP_NR_VCPUS);
	if (machine->cpu_count <= (unsigned int)most)
		return 0;
	snprintf(machine->error, sizeof(machine->error),
		 "--cpus %u: %s has at most %d (KVM_CAP_MAX_VCPUS)", machine->cpu_count,
		 hutch_device(machine->hutch), most);
	machine->bad_input = true;
	return -EINVAL;
}

int processors_allocate(struct machine *machine)
{
	int error = check_count(machine);

	if (error)
		return error;
	machine->vcpus = system_calloc(machine->cpu_count, sizeof(machine->vcpus[0]));
	if (!machine->vcpus) {
		snprintf(machine->error, sizeof(machine->error), "%u vCPUs: %s", machine->cpu_count,
			 strerror(ENOMEM));
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		machine->vcpus[i].machine = machine;
		machine->vcpus[i].id = i;
		machine->vcpus[i].place = VCPU_ENDED;
	}
	return 0;
}

void processors_free(struct machine *machine)
{
	free(machine->vcpus);
	machine->vcpus = NULL;
}

/* ---- CPUID -------------------------------------------------------------------- */

/* The table of the first vCPU, as the policy wants it. */
static struct kvm_cpuid2 *build_cpuid(struct machine *machine, const struct kvm_cpuid2 *supported)
{
	const struct cpuid_machine cpuid_machine = {
		.supported = supported,
		.cpu_count = machine->cpu_count,
		.kernel_irqchip = machine->config->irqchip->in_kernel,
		.tsc_deadline = machine->irqchip.features.tsc_deadline,
		.x2apic = machine->irqchip.features.x2apic,
	};
	struct cpuid_messages messages = { 0 };
	struct kvm_cpuid2 *table =
		cpuid_build(&machine->config->cpu_policy, &cpuid_machine, &messages);

	if (messages.warning[0])
		machine_warn("%s", messages.warning);
	if (!table) {
		snprintf(machine->error, sizeof(machine->error), "%s", messages.error);
		machine->bad_input = errno != ENOMEM;
	}
	return table;
}

static bool accepts_cpuid(void *context, const struct kvm_cpuid2 *table)
{
	return !hutch_vcpu_ioctl(context, KVM_SET_CPUID2, "KVM_SET_CPUID2", (void *)table);
}

static bool policy_is_default(const struct cpu_policy *policy)
{
	return policy->template == CPU_TEMPLATE_HOST && !policy->rule_count &&
	       !policy->has_vendor && !policy->has_brand;
}

/*
 * The hypervisor refuses the table: says which bits those are. What the user asked for
 * is not left out in silence; where nothing was asked for, what the hypervisor itself
 * offers will do.
 */
static int refused_cpuid(struct machine *machine, struct vcpu *vcpu,
			 const struct kvm_cpuid2 *supported, int error)
{
	char bits[400];

	library_error(machine, error);
	if (!cpuid_find_refused(machine->cpuid, supported, accepts_cpuid, vcpu->hutch, bits,
				sizeof(bits)))
		return error;
	snprintf(machine->error, sizeof(machine->error),
		 "CPUID: the hypervisor refuses %s; leave that out of --cpu", bits);
	if (!policy_is_default(&machine->config->cpu_policy) ||
	    !accepts_cpuid(vcpu->hutch, supported))
		return error;
	machine_warn("CPUID: the hypervisor refuses %s; the guest sees what it offers", bits);
	machine->error[0] = 0;
	return 0;
}

static int set_cpuid(struct machine *machine, struct vcpu *vcpu, const struct kvm_cpuid2 *supported)
{
	int error;

	cpuid_for_vcpu(machine->cpuid, &machine->config->cpu_policy, vcpu->id, machine->cpu_count);
	error = system_fails() ? -errno
			       : hutch_vcpu_ioctl(vcpu->hutch, KVM_SET_CPUID2, "KVM_SET_CPUID2",
						  machine->cpuid);
	return error ? refused_cpuid(machine, vcpu, supported, error) : 0;
}

/* ---- MSRs --------------------------------------------------------------------- */

#define MISC_ENABLE_FAST_STRINGS (1ull << 0)  /* SDM 4, table 2-2 */
#define MTRR_ENABLE		 (1ull << 11) /* SDM 3, 12.11.2.1 */
#define MTRR_WRITE_BACK		 6ull

/*
 * Linux turns its fast copies off where firmware left fast strings off, and its page
 * attribute table where it left the MTRRs off. A hypervisor that knows one of these
 * registers not is left alone with a word about it: the guest will manage.
 */
static void set_msrs(struct machine *machine, struct vcpu *vcpu)
{
	static const struct kvm_msr_entry wanted[] = {
		{ .index = IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRINGS },
		{ .index = IA32_MTRR_DEF_TYPE, .data = MTRR_ENABLE | MTRR_WRITE_BACK },
	};
	const unsigned int count = sizeof(wanted) / sizeof(wanted[0]);
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[sizeof(wanted) / sizeof(wanted[0])];
	} msrs;
	unsigned int done = 0;

	(void)machine;
	while (done < count) {
		int set;

		memset(&msrs, 0, sizeof(msrs));
		msrs.header.nmsrs = count - done;
		memcpy(msrs.entries, wanted + done, (count - done) * sizeof(wanted[0]));
		set = hutch_vcpu_ioctl(vcpu->hutch, KVM_SET_MSRS, "KVM_SET_MSRS", &msrs);
		if (set == (int)(count - done))
			return;
		done += set > 0 ? (unsigned int)set : 0;
		if (vcpu->id == 0)
			machine_warn("MSR %s (0x%x): the hypervisor refuses 0x%llx",
				     msr_name(wanted[done].index), wanted[done].index,
				     wanted[done].data);
		done++;
	}
}

/* ---- vCPUs -------------------------------------------------------------------- */

/* The loader's, with the tasks of a local APIC as the interrupt controllers have it. */
static int set_boot_state(struct machine *machine, struct vcpu *vcpu)
{
	int error = hutch_vcpu_set_sregs(vcpu->hutch, &machine->boot.sregs);

	if (!error)
		error = hutch_vcpu_set_regs(vcpu->hutch, &machine->boot.regs);
	return error ? library_error(machine, error) : 0;
}

static int create_vcpu(struct machine *machine, struct vcpu *vcpu,
		       const struct kvm_cpuid2 *supported)
{
	int error;

	vcpu->irqchip = NULL;
	vcpu->hutch = hutch_vcpu_create(machine->vm, vcpu->id);
	if (!vcpu->hutch)
		return library_error(machine, -errno);
	error = set_cpuid(machine, vcpu, supported);
	if (error)
		goto err_destroy;
	if (!machine->config->firmware)
		set_msrs(machine, vcpu);
	if (vcpu->id == 0)
		error = set_boot_state(machine, vcpu);
	if (error)
		goto err_destroy;
	error = machine->irqchip.ops->add_vcpu(&machine->irqchip, vcpu);
	if (!error)
		return 0;
	library_error(machine, error);

err_destroy:
	hutch_vcpu_destroy(vcpu->hutch);
	vcpu->hutch = NULL;
	return error;
}

static void destroy_vcpus(struct machine *machine)
{
	for (unsigned int i = machine->cpu_count; i-- > 0;) {
		hutch_vcpu_destroy(machine->vcpus[i].hutch);
		machine->vcpus[i].hutch = NULL;
	}
}

static int create_vcpus(struct machine *machine, const struct kvm_cpuid2 *supported)
{
	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		int error = create_vcpu(machine, &machine->vcpus[i], supported);

		if (error) {
			destroy_vcpus(machine);
			return error;
		}
	}
	return 0;
}

/* Firmware writes its own. */
static void write_mptable(struct machine *machine)
{
	const struct kvm_cpuid_entry2 *version = cpuid_find(machine->cpuid, CPUID_LEAF_VERSION, 0);
	const struct mptable_machine mptable = {
		.cpu_count = machine->cpu_count,
		.ioapic_id = machine_ioapic_id(machine->cpu_count),
		.cpu_signature = version ? version->eax : 0,
		.cpu_features = version ? version->edx : 0,
	};

	if (!machine->config->firmware)
		mptable_build(&mptable, machine->ram);
}

int processors_create(struct machine *machine)
{
	struct kvm_cpuid2 *supported = hutch_supported_cpuid(machine->hutch);
	int error;

	if (!supported)
		return library_error(machine, -errno);
	machine->cpuid = build_cpuid(machine, supported);
	error = machine->cpuid ? 0 : -errno;
	if (error)
		goto out;
	write_mptable(machine);
	error = create_vcpus(machine, supported);
	free(machine->cpuid);
	machine->cpuid = NULL;
out:
	free(supported);
	return error;
}

void processors_destroy(struct machine *machine)
{
	destroy_vcpus(machine);
}

int processors_print(struct machine *machine, FILE *out)
{
	struct kvm_cpuid2 *supported;
	struct kvm_cpuid2 *table = NULL;
	struct hutch *hutch = hutch_open(machine->config->hypervisor);

	if (!hutch)
		return library_error(machine, -errno);
	supported = hutch_supported_cpuid(hutch);
	if (!supported) {
		library_error(machine, -errno);
	} else {
		machine->irqchip.features = (struct irqchip_features){ true, true };
		table = build_cpuid(machine, supported);
	}
	if (table)
		cpuid_print(out, table);
	free(table);
	free(supported);
	hutch_close(hutch);
	return table ? 0 : -EINVAL;
}
