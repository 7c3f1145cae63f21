/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The hypervisor behind the KVM ABI: one device node that answers ioctls
 * (Linux, Documentation/virt/kvm/api.rst).
 *
 * Which hypervisor that is does not matter here. What does matter is asked once, at
 * the opening, and named when it is missing, so that nothing fails later with a
 * bare errno. The CPUID bits of VT-x and AMD-V are no part of it: a hypervisor may
 * well run guests where neither is to be seen.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "lib/object.h"
#include "lib/system.h"

static const char *open_advice(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return ": no hypervisor there; load its module (kvm_intel or kvm_amd), or switch "
		       "virtualization on in the firmware";
	case EACCES:
	case EPERM:
		return ": join the group that owns it (kvm), or run as root";
	default:
		return "";
	}
}

/* Asks what this library cannot do without, and what shapes the rest. */
static int check_hypervisor(struct hutch *hutch)
{
	int version = system_ioctl(hutch->fd, KVM_GET_API_VERSION, 0);
	int size;

	if (version < 0)
		return hutch_fail(errno, "%s: KVM_GET_API_VERSION: %s; not a hypervisor's device?",
				  hutch->device, strerror(errno));
	if (version != KVM_API_VERSION)
		return hutch_fail(EPROTONOSUPPORT, "%s: speaks KVM API version %d, needed is %d",
				  hutch->device, version, KVM_API_VERSION);
	size = system_ioctl(hutch->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return hutch_fail(errno, "%s: KVM_GET_VCPU_MMAP_SIZE: %s", hutch->device,
				  strerror(errno));
	if ((size_t)size < sizeof(struct kvm_run))
		return hutch_fail(EPROTO,
				  "%s: its vCPU page has %d bytes, fewer than struct kvm_run",
				  hutch->device, size);
	hutch->run_page_size = (size_t)size;
	if (hutch_capability(hutch, KVM_CAP_IMMEDIATE_EXIT) <= 0)
		return hutch_fail(EOPNOTSUPP,
				  "%s: lacks KVM_CAP_IMMEDIATE_EXIT (Linux has it since 4.11)",
				  hutch->device);
	hutch->sync_regs = (uint64_t)hutch_capability(hutch, KVM_CAP_SYNC_REGS);
	return 0;
}

struct hutch *hutch_open(const char *device)
{
	struct hutch *hutch;
	size_t length;

	if (!device)
		device = HUTCH_DEFAULT_DEVICE;
	length = strlen(device);
	hutch = system_calloc(1, sizeof(*hutch) + length + 1);
	if (!hutch) {
		hutch_fail(ENOMEM, "%s: out of memory", device);
		return NULL;
	}
	memcpy(hutch->device, device, length);
	hutch->fd = system_open(device, O_RDWR | O_CLOEXEC);
	if (hutch->fd < 0) {
		hutch_fail(errno, "%s: %s%s", device, strerror(errno), open_advice(errno));
		goto err_free;
	}
	if (check_hypervisor(hutch))
		goto err_close;
	return hutch;

err_close:
	close(hutch->fd);
err_free:
	free(hutch);
	return NULL;
}

void hutch_close(struct hutch *hutch)
{
	if (!hutch)
		return;
	close(hutch->fd);
	free(hutch);
}

const char *hutch_device(const struct hutch *hutch)
{
	return hutch->device;
}

int hutch_fd(const struct hutch *hutch)
{
	return hutch->fd;
}

int hutch_capability(const struct hutch *hutch, unsigned int capability)
{
	int value = ioctl(hutch->fd, KVM_CHECK_EXTENSION, capability);

	return value < 0 ? 0 : value;
}

/* KVM does not say how many entries it has, only that there were too few (E2BIG). */
#define CPUID_ENTRIES_FIRST 128
#define CPUID_ENTRIES_MAX   4096

struct kvm_cpuid2 *hutch_supported_cpuid(const struct hutch *hutch)
{
	for (unsigned int count = CPUID_ENTRIES_FIRST; count <= CPUID_ENTRIES_MAX; count *= 2) {
		struct kvm_cpuid2 *cpuid =
			system_calloc(1, sizeof(*cpuid) + count * sizeof(cpuid->entries[0]));

		if (!cpuid) {
			hutch_fail(ENOMEM, "KVM_GET_SUPPORTED_CPUID: out of memory");
			return NULL;
		}
		cpuid->nent = count;
		if (!system_ioctl(hutch->fd, KVM_GET_SUPPORTED_CPUID, (unsigned long)cpuid))
			return cpuid;
		hutch_fail(errno, "%s: KVM_GET_SUPPORTED_CPUID: %s", hutch->device,
			   strerror(errno));
		free(cpuid);
		if (errno != E2BIG)
			return NULL;
	}
	return NULL;
}
