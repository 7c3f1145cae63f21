/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/info.h"
#include "x86/cpuid.h"
#include "x86/registers.h"

/*
 * What the processor says of itself: by CPUID, which anyone may execute, and by MSRs,
 * which only the kernel may read. Some of these KVM passes on (what it would let a
 * guest's own hypervisor see), and all of them are behind /dev/cpu/0/msr, for root and
 * where the kernel's msr module is loaded.
 *
 * That CPUID shows neither VT-x nor AMD-V says nothing about whether guests run: a
 * hypervisor may do without them, and a host that is itself a guest may have them
 * hidden. So it is told and nothing is concluded from it.
 */

void info_add_feature(struct info_features *features, const char *name, bool present)
{
	if (features->count < INFO_FEATURES_MAX)
		features->list[features->count++] = (struct info_feature){ name, present };
}

/* ---- MSRs -------------------------------------------------------------------- */

static bool msr_from_hypervisor(const struct hutch *hutch, uint32_t index, uint64_t *value)
{
	union {
		struct kvm_msrs msrs;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} request = { .msrs.nmsrs = 1 };

	if (!hutch || !hutch_capability(hutch, KVM_CAP_GET_MSR_FEATURES))
		return false;
	request.msrs.entries[0].index = index;
	if (ioctl(hutch_fd(hutch), KVM_GET_MSRS, &request) != 1)
		return false;
	*value = request.msrs.entries[0].data;
	return true;
}

static bool msr_from_processor(uint32_t index, uint64_t *value)
{
	int fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
	bool read = false;

	if (fd >= 0) {
		read = pread(fd, value, sizeof(*value), index) == sizeof(*value);
		close(fd);
	}
	return read;
}

bool info_read_msr(const struct hutch *hutch, uint32_t index, uint64_t *value,
		   enum info_source *source)
{
	if (msr_from_processor(index, value))
		*source = INFO_FROM_PROCESSOR;
	else if (msr_from_hypervisor(hutch, index, value))
		*source = INFO_FROM_HYPERVISOR;
	else
		return false;
	return true;
}

/* ---- CPUID --------------------------------------------------------------------- */

static uint32_t highest_leaf(uint32_t range)
{
	uint32_t highest = cpuid_execute(range, 0).value[CPUID_EAX];

	return highest >= range && highest - range < 0x10000 ? highest : range;
}

static bool has(enum cpuid_feature_index index)
{
	const struct cpuid_feature *feature = &cpuid_features[index];

	if (feature->leaf > highest_leaf(feature->leaf & 0x80000000))
		return false;
	return cpuid_execute(feature->leaf, feature->subleaf).value[feature->reg] >> feature->bit &
	       1;
}

static void read_names(struct info_processor *processor)
{
	struct cpuid_registers out = cpuid_execute(CPUID_LEAF_VENDOR, 0);
	char brand[49] = "";
	const char *begin = brand;

	memcpy(processor->vendor, &out.value[CPUID_EBX], 4);
	memcpy(processor->vendor + 4, &out.value[CPUID_EDX], 4);
	memcpy(processor->vendor + 8, &out.value[CPUID_ECX], 4);
	if (highest_leaf(CPUID_LEAF_EXTENDED) < CPUID_LEAF_BRAND_3)
		return;
	for (unsigned int i = 0; i < 3; i++) {
		out = cpuid_execute(CPUID_LEAF_BRAND_1 + i, 0);
		memcpy(brand + 16 * i, out.value, 16);
	}
	while (*begin == ' ')
		begin++;
	memcpy(processor->brand, begin, strlen(begin));
	for (size_t end = strlen(processor->brand); end && processor->brand[end - 1] == ' '; end--)
		processor->brand[end - 1] = '\0';
}

/* AMD-V says all in one leaf: APM 3, E.4.9 */
static void read_svm(struct info_processor *processor)
{
	struct cpuid_registers out = cpuid_execute(CPUID_LEAF_SVM, 0);

	processor->svm_revision = out.value[CPUID_EAX] & 0xff;
	processor->svm_asids = out.value[CPUID_EBX];
	for (unsigned int i = 0; i < CPUID_FEATURE_COUNT; i++)
		if (cpuid_features[i].leaf == CPUID_LEAF_SVM)
			info_add_feature(&processor->svm_features, cpuid_features[i].name, has(i));
}

/* ---- the firmware's switch ------------------------------------------------------ */

#define VM_CR_SVMDIS		   (1ull << 4) /* APM 2, 15.30.1 */
#define FEATURE_CONTROL_LOCK	   (1ull << 0) /* SDM 3, 24.7 */
#define FEATURE_CONTROL_VMX_NO_SMX (1ull << 2)

static void read_switch(struct info_processor *processor)
{
	uint64_t value;

	if (processor->svm && msr_from_processor(AMD_VM_CR, &value)) {
		processor->switch_readable = true;
		processor->switched_off = value & VM_CR_SVMDIS;
	} else if (processor->vmx && msr_from_processor(IA32_FEATURE_CONTROL, &value)) {
		processor->switch_readable = true;
		processor->switched_off = (value & FEATURE_CONTROL_LOCK) &&
					  !(value & FEATURE_CONTROL_VMX_NO_SMX);
	}
}

void info_read_processor(const struct hutch *hutch, struct info_processor *processor)
{
	memset(processor, 0, sizeof(*processor));
	read_names(processor);
	processor->vmx = has(CPUID_FEATURE_VMX);
	processor->svm = has(CPUID_FEATURE_SVM);
	if (processor->vmx)
		info_read_vmx(hutch, processor);
	if (processor->svm)
		read_svm(processor);
	read_switch(processor);
}
