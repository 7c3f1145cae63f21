/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_INSTRUCTIONS_H
#define HUTCH_CORE_VMX_INSTRUCTIONS_H

/*
 * The instructions of VT-x itself (SDM 3, 31.3). They say by flags how it went: CF, the
 * VMCS or the address is no good; ZF, there is a VM-instruction error in the current
 * VMCS. Here both are false.
 */

#include <stdbool.h>
#include <stdint.h>

static inline bool vmx_instruction_vmxon(uint64_t physical)
{
	bool done;

	asm volatile("vmxon %1" : "=@cca"(done) : "m"(physical) : "memory");
	return done;
}

static inline void vmx_instruction_vmxoff(void)
{
	asm volatile("vmxoff" : : : "memory", "cc");
}

static inline bool vmx_instruction_vmclear(uint64_t physical)
{
	bool done;

	asm volatile("vmclear %1" : "=@cca"(done) : "m"(physical) : "memory");
	return done;
}

static inline bool vmx_instruction_vmptrld(uint64_t physical)
{
	bool done;

	asm volatile("vmptrld %1" : "=@cca"(done) : "m"(physical) : "memory");
	return done;
}

/*
 * Of the current VMCS, which is no memory of the compiler's. A field that the processor
 * lacks reads as 0.
 */
static inline uint64_t vmx_instruction_vmread(uint64_t encoding)
{
	uint64_t value = 0;

	asm volatile("vmread %1, %0" : "+r"(value) : "r"(encoding) : "cc");
	return value;
}

/* The same for a field that every processor has, while there is a current VMCS. */
static inline uint64_t vmx_instruction_vmread_known(uint64_t encoding)
{
	uint64_t value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"(encoding) : "cc");
	return value;
}

static inline bool vmx_instruction_vmwrite(uint64_t encoding, uint64_t value)
{
	bool done;

	asm volatile("vmwrite %1, %2" : "=@cca"(done) : "r"(value), "r"(encoding));
	return done;
}

/* How much INVEPT and INVVPID forget: SDM 3, 31.3 */
enum vmx_invalidation {
	VMX_INVALIDATE_ADDRESS = 0, /* INVVPID alone */
	VMX_INVALIDATE_SINGLE = 1,  /* one EPTP's, one VPID's */
	VMX_INVALIDATE_ALL = 2,
};

static inline bool vmx_instruction_invept(enum vmx_invalidation extent, uint64_t eptp)
{
	const struct {
		uint64_t eptp, reserved;
	} operand = { eptp, 0 };
	bool done;

	asm volatile("invept %1, %2"
		     : "=@cca"(done)
		     : "m"(operand), "r"((uint64_t)extent)
		     : "memory");
	return done;
}

static inline bool vmx_instruction_invvpid(enum vmx_invalidation extent, uint16_t vpid)
{
	const struct {
		uint64_t vpid, address;
	} operand = { vpid, 0 };
	bool done;

	asm volatile("invvpid %1, %2"
		     : "=@cca"(done)
		     : "m"(operand), "r"((uint64_t)extent)
		     : "memory");
	return done;
}

#endif
