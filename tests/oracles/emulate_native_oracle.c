/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The emulator against the processor. Random instructions of every form that a program
 * in ring 3 may use, on random operands, in 64, 32 and 16-bit code, are carried out
 * twice: by the processor that this runs on (native_run.h) and by the emulator, on a copy
 * of the same registers and memory. Results, flags, memory and faults must be the same,
 * but for what the manual leaves undefined (emulate_undefined.h).
 *
 *	emulate_native_oracle [CASES [SEED]]
 *
 * prints "N cases, N differ" and is non-zero if any did, or if a form was never carried
 * out. The first few differences are shown in full.
 */

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracles/emulate_undefined.h"
#include "tests/oracles/native_case.h"
#include "tests/oracles/native_run.h"
#include "tests/unit/x87_model.h"
#include "x86/emulate.h"
#include "x86/exception.h"

#define CASES_DEFAULT 2000000
#define SHOWN_MAX     10

static struct native_case test;

/* The emulator's side of what the processor has. */
static struct {
	struct emulation emulation;
	uint8_t memory[NATIVE_DATA_SIZE];
	uint64_t ymm[16][4];
	struct x87_model x87; /* stays, as the processor's does */
} mirror = { .x87.control = X87_CONTROL_INITIAL };

/* ---- the emulator's side -------------------------------------------------------------------------- */

static struct emulate_fault page_fault(uint64_t address, uint32_t error_code)
{
	return (struct emulate_fault){ EXCEPTION_PF, true, error_code, address };
}

static uint8_t *at(uint64_t address, unsigned int size, bool write)
{
	uint64_t limit = write ? NATIVE_DATA_RW : NATIVE_DATA_SIZE;

	if (address - NATIVE_DATA >= limit || address - NATIVE_DATA + size > limit)
		return NULL;
	return mirror.memory + (address - NATIVE_DATA);
}

static enum emulate_answer refuse(uint64_t address, bool write, struct emulate_fault *fault)
{
	bool present = address - NATIVE_DATA < NATIVE_DATA_SIZE;

	*fault = page_fault(address, 4u | (write ? 2u : 0) | (present ? 1u : 0));
	return EMULATE_ANSWER_FAULT;
}

static enum emulate_answer op_read(void *context, struct emulate_access *access,
				   struct emulate_fault *fault)
{
	bool write = access->kind == EMULATE_READ_TO_WRITE;
	const uint8_t *from = at(access->address, access->size, write);

	(void)context;
	if (!from)
		return refuse(access->address, write, fault);
	access->value = 0;
	memcpy(&access->value, from, access->size);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_check(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	(void)context;
	if (!at(access->address, access->size, true))
		return refuse(access->address, true, fault);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_write(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	uint8_t *to = at(access->address, access->size, true);

	(void)context;
	if (!to)
		return refuse(access->address, true, fault);
	memcpy(to, &access->value, access->size);
	return EMULATE_ANSWER_DONE;
}

static void op_vector_read(void *context, struct emulate_vector *vector)
{
	(void)context;
	memcpy(vector->value, mirror.ymm[vector->index], vector->size);
}

static void op_vector_write(void *context, const struct emulate_vector *vector)
{
	(void)context;
	if (vector->kind == EMULATE_VECTOR_AVX)
		memset(mirror.ymm[vector->index], 0, sizeof(mirror.ymm[0]));
	memcpy(mirror.ymm[vector->index], vector->value, vector->size);
}

static void op_x87(void *context, struct emulate_x87 *x87)
{
	(void)context;
	x87_model(&mirror.x87, x87);
}

static const struct emulate_ops ops = {
	.read = op_read,
	.check = op_check,
	.write = op_write,
	.vector_read = op_vector_read,
	.vector_write = op_vector_write,
	.x87 = op_x87,
};

static struct segment code_segment(void)
{
	struct segment segment = { 0, 0xffffffff, SEGMENT_RIGHTS_CODE64 | SEGMENT_DPL, 0x33 };

	if (test.bits == 32)
		segment = (struct segment){ 0, 0xffffffff, SEGMENT_RIGHTS_CODE32 | SEGMENT_DPL,
					    0x23 };
	if (test.bits == 16)
		segment = (struct segment){ NATIVE_CODE, NATIVE_CODE_SIZE - 1,
					    SEGMENT_RIGHTS_CODE16 | SEGMENT_DPL, 0x17 };
	return segment;
}

/* 16-bit code begins where its segment does. */
static uint64_t first_rip(void)
{
	return test.bits == 16 ? 0 : NATIVE_CODE;
}

static void program_state(struct emulate_state *state)
{
	struct segment flat = { 0, 0xffffffff, SEGMENT_RIGHTS_DATA32 | SEGMENT_DPL, 0x2b };
	struct segment small = { NATIVE_SEGMENT, NATIVE_SEGMENT_LIMIT,
				 (SEGMENT_RIGHTS_DATA32 & ~SEGMENT_G) | SEGMENT_DPL, 0x0f };

	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++)
		state->segment[i] = native_case_is_small(&test, (uint8_t)i) ? small : flat;
	state->segment[SEGMENT_NUMBER_CS] = code_segment();
	if (test.bits == 16) {
		state->segment[SEGMENT_NUMBER_SS].rights &= ~SEGMENT_DB;
		state->segment[SEGMENT_NUMBER_SS].selector = 0x1f;
	}
	state->cr0 = CR0_PE | CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET;
	state->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE;
	state->efer = IA32_EFER_LMA | IA32_EFER_LME;
	state->xcr0 = 7;
	state->cpl = 3;
	state->rip = first_rip();
}

/* ---- both sides, and their comparison ---------------------------------------------------------------- */

static void share_memory(void)
{
	uint8_t *native = (uint8_t *)(uintptr_t)NATIVE_DATA;
	unsigned int from = below(NATIVE_DATA_RW - 64);

	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t value = operand64();

		memcpy(native + from + i, &value, 8);
	}
	if (test.pointer)
		memcpy(native + (test.pointer - NATIVE_DATA), &test.target, 8);
	memcpy(mirror.memory, native, NATIVE_DATA_RW);
}

/* POPF must not set what would trap in the middle of everything. */
static void calm_flags(void)
{
	uint64_t rsp = native_case_stack(&test, native_context()->before.gpr[GPR_RSP]);
	uint8_t *native = (uint8_t *)(uintptr_t)NATIVE_DATA;

	if (test.instruction.map == OPCODE_MAP_ONE_BYTE && test.instruction.opcode == 0x9d) {
		native[rsp - NATIVE_DATA + 1] &= 0xbe; /* TF and NT */
		native[rsp - NATIVE_DATA + 2] &= 0xdf; /* ID */
		memcpy(mirror.memory, native, NATIVE_DATA_RW);
	}
}

static enum emulate_status run_emulator(void)
{
	struct emulation *e = &mirror.emulation;
	enum emulate_status status;

	memset(e, 0, offsetof(struct emulation, next));
	program_state(&e->state);
	e->amd = test.amd;
	memcpy(e->state.gpr, native_context()->before.gpr, sizeof(e->state.gpr));
	e->state.rflags = native_context()->before.rflags;
	memcpy(mirror.ymm, native_context()->before.ymm, sizeof(mirror.ymm));
	do {
		memcpy(e->bytes, test.bytes, test.instruction.length);
		e->byte_count = test.instruction.length;
		status = emulate(e, &ops, NULL);
	} while (status == EMULATE_DONE && e->repeating);
	return status;
}

/*
 * What a processor has done before it found a fault and leaves done, because doing it
 * again does no harm: what ENTER and PUSHA have pushed below rSP, registers that POPA has loaded.
 */
#define PUSHA 0x60
#define POPA  0x61
#define ENTER 0xc8

static bool faulted_midway(uint8_t opcode)
{
	return native_context()->faulted && test.instruction.map == OPCODE_MAP_ONE_BYTE &&
	       test.instruction.opcode == opcode;
}

/* Which of its two operands CMPS reads first is the processor's choice. */
#define CMPSB 0xa6
#define CMPS  0xa7

static const char *compare_fault(enum emulate_status status)
{
	const struct native_context *native = native_context();
	const struct emulate_fault *fault = &mirror.emulation.fault;

	if (status != EMULATE_DONE && status != EMULATE_FAULT)
		return mirror.emulation.why;
	if (native->faulted != (status == EMULATE_FAULT))
		return "one of the two faults";
	if (!native->faulted)
		return NULL;
	if (faulted_midway(CMPSB) || faulted_midway(CMPS))
		return NULL;
	if (native->vector != fault->vector)
		return "another vector";
	if (fault->vector == EXCEPTION_PF && (native->address != fault->address ||
					      (native->error_code & 7) != (fault->error_code & 7)))
		return "another page fault";
	return NULL;
}

/* The upper halves are nobody's business in 32-bit code (SDM 1, 3.4.1.1). */
static bool gpr_differs(unsigned int number)
{
	uint64_t difference = native_context()->after.gpr[number] ^
			      mirror.emulation.state.gpr[number];

	return test.bits != 64 ? number < 8 && (uint32_t)difference : difference;
}

static const char *compare_state(void)
{
	const struct native_context *native = native_context();
	const struct emulate_state *state = &mirror.emulation.state;
	uint64_t compared = RFLAGS_USER | RFLAGS_AC;
	struct undefined undefined = { 0 };
	uint64_t rip = first_rip() + test.instruction.length;

	if (!native->faulted)
		undefined = undefined_of(&test.instruction, &native->before);
	compared &= ~undefined.flags;
	if ((native->after.rflags ^ state->rflags) & compared)
		return "flags";
	if (undefined.result)
		return NULL;
	for (unsigned int i = 0; i < 16; i++)
		if (gpr_differs(i) && !(faulted_midway(POPA) && i != GPR_RSP))
			return "registers";
	if (!faulted_midway(ENTER) && !faulted_midway(PUSHA) &&
	    memcmp((void *)(uintptr_t)NATIVE_DATA, mirror.memory, NATIVE_DATA_RW))
		return "memory";
	if (test.bits == 64 && !native->faulted &&
	    memcmp(native->after.ymm, mirror.ymm, sizeof(mirror.ymm)))
		return "vector registers";
	if (native->taken)
		rip = first_rip() + NATIVE_BRANCH_TARGET;
	if (!native->faulted && state->rip != rip)
		return "RIP";
	return NULL;
}

static void show(const char *what)
{
	const struct native_context *native = native_context();
	const struct emulate_state *state = &mirror.emulation.state;
	static const char names[16][4] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					   "r8",  "r9",	 "r10", "r11", "r12", "r13", "r14", "r15" };

	printf("# %s, %u bits:", what, test.bits);
	for (unsigned int i = 0; i < test.instruction.length; i++)
		printf(" %02x", test.bytes[i]);
	printf("\n#   flags %04llx: native %06llx, emulated %06llx\n",
	       (unsigned long long)native->before.rflags, (unsigned long long)native->after.rflags,
	       (unsigned long long)state->rflags);
	if (native->faulted)
		printf("#   native: vector %u, error %x, address %llx\n", native->vector,
		       native->error_code, (unsigned long long)native->address);
	printf("#   emulated: vector %u, error %x, address %llx\n", mirror.emulation.fault.vector,
	       mirror.emulation.fault.error_code,
	       (unsigned long long)mirror.emulation.fault.address);
	for (unsigned int i = 0; i < (test.bits != 64 ? 8 : 16); i++)
		printf("#   %-3s %016llx: %016llx, %016llx%s\n", names[i],
		       (unsigned long long)native->before.gpr[i],
		       (unsigned long long)native->after.gpr[i], (unsigned long long)state->gpr[i],
		       gpr_differs(i) ? " <" : "");
}

/* True if both did the same. */
static bool run_case(bool shown)
{
	const char *different;
	enum emulate_status status;

	share_memory();
	calm_flags();
	/* Emulated first: the processor changes the memory that both begin with. */
	status = run_emulator();
	native_run(test.bytes, test.instruction.length, test.bits);
	different = compare_fault(status);
	if (!different)
		different = compare_state();
	if (different && shown)
		show(different);
	return !different;
}

/* A form that never got through without a fault was not compared. */
static unsigned long long report_unseen(const unsigned long long *seen, unsigned long long cases)
{
	unsigned long long unseen = 0;

	for (unsigned int i = 0; cases >= 100000 && i < native_case_forms; i++) {
		if (seen[i])
			continue;
		printf("# never without a fault: %s\n", native_case_form(i));
		unseen++;
	}
	return unseen;
}

static void random_vectors(void)
{
	struct native_context *native = native_context();

	for (unsigned int i = 0; i < 16; i++)
		for (unsigned int j = 0; j < 4; j++)
			native->before.ymm[i][j] = random64();
}

static bool is_amd(void)
{
	unsigned int eax, ebx = 0, ecx, edx;

	__get_cpuid(0, &eax, &ebx, &ecx, &edx);
	return ebx == signature_AMD_ebx;
}

int main(int argc, char **argv)
{
	unsigned long long wanted = argc > 1 ? strtoull(argv[1], NULL, 0) : CASES_DEFAULT;
	unsigned long long cases = 0, differ = 0, faults = 0, unseen;
	unsigned long long *seen;

	random_seed(argc > 2 ? strtoull(argv[2], NULL, 0) : 0x9e3779b97f4a7c15ull);
	test.amd = is_amd();
	if (!native_start())
		return 2;
	seen = calloc(native_case_forms, sizeof(*seen));
	if (!seen)
		return 2;
	for (size_t i = 0; i < NATIVE_DATA_SIZE; i++)
		((uint8_t *)(uintptr_t)NATIVE_DATA)[i] = (uint8_t)random64();
	memcpy(mirror.memory, (void *)(uintptr_t)NATIVE_DATA, NATIVE_DATA_SIZE);
	native_protect();
	random_vectors();

	while (cases < wanted) {
		test.bits = 16u << cases % 4;
		if (test.bits > 64)
			test.bits = 64;
		if (!native_case_make(&test))
			continue;
		cases++;
		if (!run_case(differ < SHOWN_MAX)) {
			differ++;
			memcpy((void *)(uintptr_t)NATIVE_DATA, mirror.memory, NATIVE_DATA_RW);
		}
		faults += native_context()->faulted;
		seen[test.form] += !native_context()->faulted;
	}
	unseen = report_unseen(seen, cases);
	printf("%llu cases, %llu differ (%llu of them faults)\n", cases, differ, faults);
	free(seen);
	return differ || unseen ? 1 : 0;
}
