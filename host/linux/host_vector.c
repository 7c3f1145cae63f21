/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>

/*
 * The guest's vector registers, for instructions that the core executes in its place.
 * They are in the processor's own, as far as nothing of the kernel's has used those since
 * the guest left; then they are loaded first.
 */

#define XMM_SIZE 16
#define YMM_SIZE 32
#define MMX_SIZE 8

/* Each register has a name, and no number, in the instructions. */
#define FOR_EIGHT(instruction)                                                                    \
	instruction(0) instruction(1) instruction(2) instruction(3) instruction(4) instruction(5) \
		instruction(6) instruction(7)
#define FOR_SIXTEEN(instruction)                                                      \
	FOR_EIGHT(instruction)                                                        \
	instruction(8) instruction(9) instruction(10) instruction(11) instruction(12) \
		instruction(13) instruction(14) instruction(15)

#define STORE(name, prefix, number)                                                        \
	case number:                                                                       \
		asm volatile(#name " %%" #prefix #number ", (%0)" : : "r"(to) : "memory"); \
		break;
#define LOAD(name, prefix, number)                                                        \
	case number:                                                                      \
		asm volatile(#name " (%0), %%" #prefix #number : : "r"(from) : "memory"); \
		break;

#define STORE_MM(number)     STORE(movq, mm, number)
#define STORE_XMM(number)    STORE(movdqu, xmm, number)
#define STORE_YMM(number)    STORE(vmovdqu, ymm, number)
#define LOAD_MM(number)	     LOAD(movq, mm, number)
#define LOAD_XMM(number)     LOAD(movdqu, xmm, number)
#define LOAD_XMM_VEX(number) LOAD(vmovdqu, xmm, number)
#define LOAD_YMM(number)     LOAD(vmovdqu, ymm, number)

static void store_mm(unsigned int index, void *to)
{
	switch (index) {
		FOR_EIGHT(STORE_MM)
	}
}

static void store_xmm(unsigned int index, void *to)
{
	switch (index) {
		FOR_SIXTEEN(STORE_XMM)
	}
}

static void store_ymm(unsigned int index, void *to)
{
	switch (index) {
		FOR_SIXTEEN(STORE_YMM)
	}
}

static void load_mm(unsigned int index, const void *from)
{
	switch (index) {
		FOR_EIGHT(LOAD_MM)
	}
}

static void load_xmm(unsigned int index, const void *from)
{
	switch (index) {
		FOR_SIXTEEN(LOAD_XMM)
	}
}

/* With VEX the bytes above become zero (SDM 1, 14.1.3). */
static void load_xmm_vex(unsigned int index, const void *from)
{
	switch (index) {
		FOR_SIXTEEN(LOAD_XMM_VEX)
	}
}

static void load_ymm(unsigned int index, const void *from)
{
	switch (index) {
		FOR_SIXTEEN(LOAD_YMM)
	}
}

static void registers_begin(void)
{
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

void host_vector_read(struct hv_vcpu *vcpu, unsigned int index, bool mmx, void *to, size_t size)
{
	uint8_t value[YMM_SIZE] = { 0 };

	registers_begin();
	if (mmx)
		store_mm(index % 8, value);
	else if (size > XMM_SIZE && boot_cpu_has(X86_FEATURE_AVX))
		store_ymm(index % 16, value);
	else
		store_xmm(index % 16, value);
	fpregs_unlock();
	memcpy(to, value, min_t(size_t, size, sizeof(value)));
}

void host_vector_write(struct hv_vcpu *vcpu, unsigned int index, bool mmx, const void *from,
		       size_t size, bool wide)
{
	uint8_t value[YMM_SIZE] = { 0 };
	bool avx = boot_cpu_has(X86_FEATURE_AVX);

	size = min_t(size_t, size, mmx ? MMX_SIZE : YMM_SIZE);
	registers_begin();
	if (mmx) {
		store_mm(index % 8, value);
		memcpy(value, from, size);
		load_mm(index % 8, value);
	} else {
		if (!wide)
			store_xmm(index % 16, value);
		memcpy(value, from, size);
		if (size > XMM_SIZE && avx)
			load_ymm(index % 16, value);
		else if (wide && avx)
			load_xmm_vex(index % 16, value);
		else
			load_xmm(index % 16, value);
	}
	fpregs_unlock();
}

/* No exception of the guest's waits where its control word is loaded: x86/emulate_x87.c. */
void host_x87(struct hv_vcpu *vcpu, enum host_x87_action action, uint16_t *control,
	      uint16_t *status)
{
	registers_begin();
	switch (action) {
	case HOST_X87_READ:
		asm volatile("fnstcw %0" : "=m"(*control));
		asm volatile("fnstsw %0" : "=m"(*status));
		break;
	case HOST_X87_LOAD_CONTROL:
		asm volatile("fldcw %0" : : "m"(*control));
		break;
	case HOST_X87_CLEAR:
		asm volatile("fnclex");
		break;
	case HOST_X87_RESET:
		asm volatile("fninit");
		break;
	}
	fpregs_unlock();
}
