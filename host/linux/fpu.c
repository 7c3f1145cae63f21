/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>

/*
 * x87, SSE, AVX and what else XSAVE knows. Linux keeps a guest's state as it keeps a
 * thread's (struct fpu_guest), in a layout of its own; here it goes from and to the
 * layout of the ABI, which is that of XSAVE without compaction (SDM 1, 13.4).
 */

#define AREA_STATE_BV 512 /* of the XSAVE header: SDM 1, 13.4.2 */

int fpu_create(struct hutch_vcpu *vcpu)
{
	if (!fpu_alloc_guest_fpstate(&vcpu->fpu))
		return -ENOMEM;
	account(1);
	return 0;
}

void fpu_free(struct hutch_vcpu *vcpu)
{
	fpu_free_guest_fpstate(&vcpu->fpu);
	account(-1);
}

unsigned int fpu_size(void)
{
	unsigned int size = sizeof(struct kvm_xsave);
	uint64_t features = cpuid_xcr0() & ~3ull;
	uint32_t eax, ebx, ecx, edx;
	unsigned int i;

	for (i = 2; features >> i; i++) {
		if (!(features >> i & 1))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		size = max(size, eax + ebx);
	}
	return size;
}

/* In the layout of the ABI; for the caller to free. */
static void *state_get(struct hutch_vcpu *vcpu, unsigned int size)
{
	void *state = own_alloc(max(size, vcpu->fpu.uabi_size));

	if (state)
		fpu_copy_guest_fpstate_to_uabi(&vcpu->fpu, state, size, cpuid_xcr0(),
					       vcpu->hv.pkru);
	return state;
}

static int state_set(struct hutch_vcpu *vcpu, const void *state)
{
	return fpu_copy_uabi_to_guest_fpstate(&vcpu->fpu, state, cpuid_xcr0(), &vcpu->hv.pkru);
}

/* ---- KVM_GET_XSAVE and its kin ---------------------------------------------------------------- */

static long xsave_get(struct hutch_vcpu *vcpu, unsigned long argument, unsigned int size)
{
	void *state = state_get(vcpu, size);
	long result;

	if (!state)
		return -ENOMEM;
	result = copy_to_user(user_pointer(argument), state, size) ? -EFAULT : 0;
	own_free(state);
	return result;
}

VCPU_HANDLER(vcpu_get_xsave)
{
	return xsave_get(vcpu, argument, sizeof(struct kvm_xsave));
}

VCPU_HANDLER(vcpu_get_xsave2)
{
	return xsave_get(vcpu, argument, fpu_size());
}

VCPU_HANDLER(vcpu_set_xsave)
{
	unsigned int size = fpu_size();
	void *state = own_alloc(max(size, vcpu->fpu.uabi_size));
	long result = -EFAULT;

	if (!state)
		return -ENOMEM;
	if (!copy_from_user(state, user_pointer(argument), size))
		result = state_set(vcpu, state);
	own_free(state);
	return result;
}

/* ---- KVM_GET_FPU: the first 416 bytes of it, in an order of their own -------------------------- */

/* SDM 1, table 10-2 */
struct fxsave_area {
	__u16 fcw, fsw;
	__u8 ftwx, reserved;
	__u16 last_opcode;
	__u64 last_ip, last_dp;
	__u32 mxcsr, mxcsr_mask;
	__u8 fpr[8][16];
	__u8 xmm[16][16];
};
static_assert(sizeof(struct fxsave_area) == 416);

VCPU_HANDLER(vcpu_get_fpu)
{
	struct fxsave_area *area = state_get(vcpu, vcpu->fpu.uabi_size);
	struct kvm_fpu fpu = { 0 };

	if (!area)
		return -ENOMEM;
	memcpy(fpu.fpr, area->fpr, sizeof(fpu.fpr));
	memcpy(fpu.xmm, area->xmm, sizeof(fpu.xmm));
	fpu.fcw = area->fcw;
	fpu.fsw = area->fsw;
	fpu.ftwx = area->ftwx;
	fpu.last_opcode = area->last_opcode;
	fpu.last_ip = area->last_ip;
	fpu.last_dp = area->last_dp;
	fpu.mxcsr = area->mxcsr;
	own_free(area);
	return copy_to_user(user_pointer(argument), &fpu, sizeof(fpu)) ? -EFAULT : 0;
}

VCPU_HANDLER(vcpu_set_fpu)
{
	struct fxsave_area *area;
	struct kvm_fpu fpu;
	long result;

	if (copy_from_user(&fpu, user_pointer(argument), sizeof(fpu)))
		return -EFAULT;
	area = state_get(vcpu, vcpu->fpu.uabi_size);
	if (!area)
		return -ENOMEM;
	memcpy(area->fpr, fpu.fpr, sizeof(fpu.fpr));
	memcpy(area->xmm, fpu.xmm, sizeof(fpu.xmm));
	area->fcw = fpu.fcw;
	area->fsw = fpu.fsw;
	area->ftwx = fpu.ftwx;
	area->last_opcode = fpu.last_opcode;
	area->last_ip = fpu.last_ip;
	area->last_dp = fpu.last_dp;
	area->mxcsr = fpu.mxcsr;
	*(uint64_t *)((uint8_t *)area + AREA_STATE_BV) |= XFEATURE_MASK_FPSSE;
	result = state_set(vcpu, area);
	own_free(area);
	return result;
}

/* ---- XCR0 ----------------------------------------------------------------------------------------- */

VCPU_HANDLER(vcpu_get_xcrs)
{
	struct kvm_xcrs xcrs = {
		.nr_xcrs = 1,
		.xcrs = { { .xcr = XCR_XFEATURE_ENABLED_MASK, .value = vcpu->hv.xcr0 } },
	};

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	return copy_to_user(user_pointer(argument), &xcrs, sizeof(xcrs)) ? -EFAULT : 0;
}

VCPU_HANDLER(vcpu_set_xcrs)
{
	struct kvm_xcrs xcrs;
	unsigned int i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	if (copy_from_user(&xcrs, user_pointer(argument), sizeof(xcrs)))
		return -EFAULT;
	if (xcrs.nr_xcrs > KVM_MAX_XCRS || xcrs.flags)
		return -EINVAL;
	for (i = 0; i < xcrs.nr_xcrs; i++)
		if (xcrs.xcrs[i].xcr == XCR_XFEATURE_ENABLED_MASK &&
		    !hv_vcpu_set_xcr0(&vcpu->hv, xcrs.xcrs[i].value))
			return -EINVAL;
	return 0;
}
