/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Moves of vector registers to and from memory and devices. Which bytes go where in
 * memory is compared with the processor in tests/oracles/emulate_native.c; here are the
 * pieces that a device sees, MMX, and the conditions under which they may be used.
 */

#include "tests/unit/emulate_fixture.h"

static int clear(void **state)
{
	(void)state;
	mode_64();
	GPR(RBX) = DEVICE;
	for (unsigned int i = 0; i < 16; i++)
		for (unsigned int j = 0; j < 4; j++)
			machine.ymm[i][j] = 0x100 * i + j + 1;
	for (unsigned int i = 0; i < 8; i++)
		machine.mmx[i] = 0xff00 + i;
	return 0;
}

static void store_comes_in_pieces(void **state)
{
	(void)state;
	assert_int_equal(RUN(0x66, 0x0f, 0xe7, 0x0b), EMULATE_DONE); /* movntdq [rbx], xmm1 */
	assert_int_equal(machine.asked_count, 2);
	assert_asked(0, WRITE, DEVICE, 8);
	assert_asked(1, WRITE, DEVICE + 8, 8);
	assert_int_equal(machine.asked[0].value, 0x101);
	assert_int_equal(machine.asked[1].value, 0x102);
	assert_int_equal(RUN(0xc5, 0xfe, 0x7f, 0x0b), EMULATE_DONE); /* vmovdqu [rbx], ymm1 */
	assert_int_equal(machine.asked_count, 6);
	assert_asked(5, WRITE, DEVICE + 24, 8);
	assert_int_equal(machine.asked[5].value, 0x104);
}

static void load_keeps_or_clears_the_upper_half(void **state)
{
	(void)state;
	assert_int_equal(RUN(0xf3, 0x0f, 0x6f, 0x13), EMULATE_DONE); /* movdqu xmm2, [rbx] */
	assert_int_equal(machine.ymm[2][0], INPUT_DEFAULT);
	assert_int_equal(machine.ymm[2][1], INPUT_DEFAULT + 1);
	assert_int_equal(machine.ymm[2][3], 0x204);
	assert_int_equal(RUN(0xc5, 0xfa, 0x6f, 0x1b), EMULATE_DONE); /* vmovdqu xmm3, [rbx] */
	assert_int_equal(machine.ymm[3][1], INPUT_DEFAULT + 3);
	assert_int_equal(machine.ymm[3][2], 0);
	assert_int_equal(machine.ymm[3][3], 0);
	assert_int_equal(RUN(0x66, 0x0f, 0x6e, 0x23), EMULATE_DONE); /* movd xmm4, [rbx] */
	assert_int_equal(machine.ymm[4][0], (uint32_t)INPUT_DEFAULT + 4);
	assert_int_equal(machine.ymm[4][1], 0);
	assert_int_equal(machine.ymm[4][2], 0x403);
}

static void halves(void **state)
{
	(void)state;
	assert_int_equal(RUN(0x0f, 0x16, 0x0b), EMULATE_DONE); /* movhps xmm1, [rbx] */
	assert_int_equal(machine.ymm[1][0], 0x101);
	assert_int_equal(machine.ymm[1][1], INPUT_DEFAULT);
	assert_int_equal(RUN(0x0f, 0x13, 0x13), EMULATE_DONE); /* movlps [rbx], xmm2 */
	assert_asked(1, WRITE, DEVICE, 8);
	assert_int_equal(machine.asked[1].value, 0x201);
	/* With registers these are MOVHLPS and MOVLHPS, which are not about memory. */
	assert_int_equal(RUN(0x0f, 0x16, 0xca), EMULATE_UNSUPPORTED);
}

static void mmx_registers(void **state)
{
	(void)state;
	assert_int_equal(RUN(0x0f, 0x7f, 0x1b), EMULATE_DONE); /* movq [rbx], mm3 */
	assert_int_equal(machine.asked[0].value, 0xff03);
	assert_int_equal(RUN(0x0f, 0x6f, 0x2b), EMULATE_DONE); /* movq mm5, [rbx] */
	assert_int_equal(machine.mmx[5], INPUT_DEFAULT);
	assert_int_equal(RUN(0x0f, 0xe7, 0x33), EMULATE_DONE); /* movntq [rbx], mm6 */
	assert_int_equal(machine.asked[2].value, 0xff06);
	assert_int_equal(RUN(0x48, 0x0f, 0x7e, 0xf8), EMULATE_DONE); /* movq rax, mm7 */
	assert_int_equal(GPR(RAX), 0xff07);
	machine.e.state.cr4 &= ~CR4_OSFXSR;		       /* not MMX's business */
	assert_int_equal(RUN(0x0f, 0x6e, 0xc0), EMULATE_DONE); /* movd mm0, eax */
	assert_int_equal(machine.mmx[0], 0xff07);
	machine.e.state.cr0 |= CR0_EM;
	assert_fault(RUN(0x0f, 0x6e, 0xc0), UD, 0);
}

static void aligned_or_general_protection(void **state)
{
	(void)state;
	GPR(RBX) = 0x2008;
	assert_fault(RUN(0x0f, 0x28, 0x0b), GP, 0); /* movaps xmm1, [rbx] */
	assert_int_equal(RUN(0x0f, 0x10, 0x0b), EMULATE_DONE);
	GPR(RBX) = 0x2010;
	assert_int_equal(RUN(0x0f, 0x28, 0x0b), EMULATE_DONE);
	assert_fault(RUN(0xc5, 0xfc, 0x28, 0x0b), GP, 0); /* vmovaps ymm1, [rbx] */
	assert_int_equal(RUN(0xc5, 0xf8, 0x28, 0x0b), EMULATE_DONE);
}

static void store_across_pages_is_whole_or_none(void **state)
{
	(void)state;
	machine.pages[3] = PAGE_READ_ONLY;
	GPR(RBX) = 0x2ff8;
	assert_fault(RUN(0x0f, 0x11, 0x0b), PF, 3);
	assert_int_equal(machine.e.fault.address, 0x3000);
	assert_int_equal(RAM64(0x2ff8), 0);
}

static void may_it_be_used(void **state)
{
	(void)state;
	machine.e.state.cr0 |= CR0_TS;
	assert_fault(RUN(0x0f, 0x10, 0x0b), NM, 0);
	assert_fault(RUN(0xc5, 0xf8, 0x10, 0x0b), NM, 0);
	machine.e.state.cr0 &= ~CR0_TS;
	machine.e.state.cr4 &= ~CR4_OSFXSR;
	assert_fault(RUN(0x0f, 0x10, 0x0b), UD, 0);
	assert_int_equal(RUN(0xc5, 0xf8, 0x10, 0x0b), EMULATE_DONE);
	machine.e.state.xcr0 = 3;
	assert_fault(RUN(0xc5, 0xf8, 0x10, 0x0b), UD, 0);
	machine.e.state.xcr0 = 7;
	machine.e.state.cr4 &= ~CR4_OSXSAVE;
	assert_fault(RUN(0xc5, 0xf8, 0x10, 0x0b), UD, 0);
	machine.e.state.cr4 |= CR4_OSXSAVE;
	/* A second source where there is none; 256 bits of a quadword. */
	assert_fault(RUN(0xc5, 0xf0, 0x10, 0x0b), UD, 0);
	assert_fault(RUN(0xc5, 0xfd, 0xd6, 0x0b), UD, 0);
	assert_int_equal(machine.asked_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(store_comes_in_pieces, clear),
		cmocka_unit_test_setup(load_keeps_or_clears_the_upper_half, clear),
		cmocka_unit_test_setup(halves, clear),
		cmocka_unit_test_setup(mmx_registers, clear),
		cmocka_unit_test_setup(aligned_or_general_protection, clear),
		cmocka_unit_test_setup(store_across_pages_is_whole_or_none, clear),
		cmocka_unit_test_setup(may_it_be_used, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
