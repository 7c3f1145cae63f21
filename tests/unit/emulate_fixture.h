/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_EMULATE_FIXTURE_H
#define HUTCH_TESTS_UNIT_EMULATE_FIXTURE_H

/*
 * A machine for the emulator: 64 pages of memory, some of which can be taken away or
 * made read-only; a device behind the last four pages and every port that answers only
 * through the VMM; and a journal of all that was done to them.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/x87_model.h"
#include "x86/emulate.h"
#include "x86/exception.h"
#include "x86/registers.h"

#define RAM_SIZE      0x40000u
#define PAGE_BYTES    0x1000u
#define DEVICE	      0x40000u /* linear, up to DEVICE_END */
#define DEVICE_END    0x44000u
#define CODE	      0x1000u
#define JOURNAL_MAX   256
#define INPUT_DEFAULT 0x1122334455667788ull

enum page_state { PAGE_WRITABLE, PAGE_READ_ONLY, PAGE_ABSENT };

struct machine {
	struct emulation e;
	struct emulate_ops ops;
	uint8_t ram[RAM_SIZE];
	enum page_state pages[RAM_SIZE / PAGE_BYTES];

	/* What the VMM was asked, in order, and what it says to reads. */
	struct emulate_access asked[JOURNAL_MAX];
	unsigned int asked_count;
	uint64_t input;

	/* What was done without it. */
	unsigned int reads, writes, checks, fetches, runs, exchanges;
	bool ports_at_once;	/* ports answer by themselves */
	bool offers_runs;	/* RAM to RAM, and OUTS to the VMM */
	unsigned int change_in; /* so many exchanges fail */
	uint64_t ymm[16][4], mmx[8];
	struct x87_model x87;
	uint64_t controls[16], debugs[8];
	uint64_t msr_value;
	uint32_t msr;
};

static struct machine machine;

static inline void refuse(struct emulate_fault *fault, uint64_t address, uint32_t error_code)
{
	*fault = (struct emulate_fault){ EXCEPTION_PF, true, error_code, address };
}

static inline bool is_device(uint64_t address)
{
	return address >= DEVICE && address < DEVICE_END;
}

static inline enum emulate_answer look_up(const struct emulate_access *access, bool write,
					  struct emulate_fault *fault)
{
	uint32_t error_code = (access->user ? 4u : 0) | (write ? 2u : 0);
	enum page_state page;

	assert_in_range(access->size, 1, 8);
	assert_true(access->address % PAGE_BYTES + access->size <= PAGE_BYTES);
	if (is_device(access->address))
		return EMULATE_ANSWER_VMM;
	if (access->address >= RAM_SIZE) {
		refuse(fault, access->address, error_code);
		return EMULATE_ANSWER_FAULT;
	}
	page = machine.pages[access->address / PAGE_BYTES];
	if (page == PAGE_WRITABLE || (page == PAGE_READ_ONLY && !write))
		return EMULATE_ANSWER_DONE;
	refuse(fault, access->address, error_code | (page == PAGE_READ_ONLY));
	return EMULATE_ANSWER_FAULT;
}

static enum emulate_answer machine_fetch(void *context, uint64_t linear, unsigned int size,
					 uint8_t *bytes, struct emulate_fault *fault)
{
	assert_ptr_equal(context, &machine);
	assert_true(size && linear % PAGE_BYTES + size <= PAGE_BYTES);
	machine.fetches++;
	if (linear >= RAM_SIZE || machine.pages[linear / PAGE_BYTES] == PAGE_ABSENT) {
		refuse(fault, linear, 0x10);
		return EMULATE_ANSWER_FAULT;
	}
	memcpy(bytes, machine.ram + linear, size);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer machine_read(void *context, struct emulate_access *access,
					struct emulate_fault *fault)
{
	enum emulate_answer answer;

	(void)context;
	answer = look_up(access, access->kind == EMULATE_READ_TO_WRITE, fault);
	if (answer != EMULATE_ANSWER_DONE)
		return answer;
	access->value = 0;
	memcpy(&access->value, machine.ram + access->address, access->size);
	machine.reads++;
	return answer;
}

static enum emulate_answer machine_check(void *context, const struct emulate_access *access,
					 struct emulate_fault *fault)
{
	enum emulate_answer answer = look_up(access, true, fault);

	(void)context;
	machine.checks++;
	return answer == EMULATE_ANSWER_VMM ? EMULATE_ANSWER_DONE : answer;
}

static enum emulate_answer machine_write(void *context, const struct emulate_access *access,
					 struct emulate_fault *fault)
{
	enum emulate_answer answer = look_up(access, true, fault);

	(void)context;
	if (answer != EMULATE_ANSWER_DONE)
		return answer;
	memcpy(machine.ram + access->address, &access->value, access->size);
	machine.writes++;
	return answer;
}

static enum emulate_answer machine_exchange(void *context, const struct emulate_exchange *exchange,
					    struct emulate_fault *fault)
{
	(void)context;
	(void)fault;
	machine.exchanges++;
	assert_true(exchange->address % PAGE_BYTES + exchange->size <= PAGE_BYTES);
	if (is_device(exchange->address))
		return EMULATE_ANSWER_VMM;
	if (machine.change_in) {
		machine.change_in--;
		machine.ram[exchange->address]++;
		return EMULATE_ANSWER_CHANGED;
	}
	assert_memory_equal(machine.ram + exchange->address, exchange->expected, exchange->size);
	memcpy(machine.ram + exchange->address, exchange->desired, exchange->size);
	return EMULATE_ANSWER_DONE;
}

/* Takes every run within RAM, element by element; leaves those of ports to the VMM. */
static enum emulate_answer machine_run(void *context, struct emulate_run *run,
				       struct emulate_fault *fault)
{
	uint64_t step = run->backwards ? -(uint64_t)run->size : run->size;
	uint64_t source = run->source, destination = run->destination;

	(void)context;
	(void)fault;
	machine.runs++;
	assert_true(run->count >= 2);
	if (!machine.offers_runs || is_device(source) || is_device(destination))
		return EMULATE_ANSWER_DONE;
	if (run->kind == EMULATE_RUN_OUTS || run->kind == EMULATE_RUN_INS)
		return EMULATE_ANSWER_VMM;
	for (uint32_t i = 0; i < run->count; i++, source += step, destination += step) {
		if (run->kind == EMULATE_RUN_MOVS)
			memcpy(&run->value, machine.ram + source, run->size);
		memcpy(machine.ram + destination, &run->value, run->size);
	}
	run->done = run->count;
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer machine_port(void *context, struct emulate_access *access,
					struct emulate_fault *fault)
{
	(void)context;
	(void)fault;
	if (!machine.ports_at_once)
		return EMULATE_ANSWER_VMM;
	if (access->kind == EMULATE_PORT_IN)
		access->value = machine.input;
	machine.asked[machine.asked_count++] = *access;
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer machine_control(void *context, struct emulate_state *state,
					   struct emulate_access *access,
					   struct emulate_fault *fault)
{
	(void)context;
	if (access->kind == EMULATE_CR_READ) {
		access->value = access->address ? machine.controls[access->address] : state->cr0;
		return EMULATE_ANSWER_DONE;
	}
	/* CR0.PG without PE: SDM 3, 2.5 */
	if (!access->address && access->value & CR0_PG && !(access->value & CR0_PE)) {
		*fault = (struct emulate_fault){ EXCEPTION_GP, true, 0, 0 };
		return EMULATE_ANSWER_FAULT;
	}
	machine.controls[access->address] = access->value;
	if (!access->address)
		state->cr0 = access->value;
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer machine_debug(void *context, struct emulate_state *state,
					 struct emulate_access *access, struct emulate_fault *fault)
{
	(void)context;
	(void)state;
	(void)fault;
	if (access->kind == EMULATE_DR_READ)
		access->value = machine.debugs[access->address];
	else
		machine.debugs[access->address] = access->value;
	return EMULATE_ANSWER_DONE;
}

/* One MSR is the VMM's; the others hold machine.msr_value. */
#define MSR_OF_THE_VMM 0x4b564d00u

static enum emulate_answer machine_msr(void *context, struct emulate_state *state,
				       struct emulate_access *access, struct emulate_fault *fault)
{
	(void)context;
	(void)state;
	(void)fault;
	if (access->address == MSR_OF_THE_VMM)
		return EMULATE_ANSWER_VMM;
	machine.msr = (uint32_t)access->address;
	if (access->kind == EMULATE_MSR_READ)
		access->value = machine.msr_value;
	else
		machine.msr_value = access->value;
	return EMULATE_ANSWER_DONE;
}

static void machine_cpuid(void *context, uint32_t registers[4])
{
	(void)context;
	for (unsigned int i = 0; i < 4; i++)
		registers[i] = registers[0] * 16 + i;
}

static void machine_vector_read(void *context, struct emulate_vector *vector)
{
	(void)context;
	if (vector->kind == EMULATE_VECTOR_MMX)
		vector->value[0] = machine.mmx[vector->index];
	else
		memcpy(vector->value, machine.ymm[vector->index], vector->size);
}

static void machine_vector_write(void *context, const struct emulate_vector *vector)
{
	(void)context;
	if (vector->kind == EMULATE_VECTOR_MMX) {
		machine.mmx[vector->index] = vector->value[0];
		return;
	}
	if (vector->kind == EMULATE_VECTOR_AVX)
		memset(machine.ymm[vector->index], 0, 32);
	memcpy(machine.ymm[vector->index], vector->value, vector->size);
}

static void machine_x87(void *context, struct emulate_x87 *x87)
{
	(void)context;
	x87_model(&machine.x87, x87);
}

/* ---- modes ---------------------------------------------------------------------------- */

static inline void machine_clear(void)
{
	memset(&machine, 0, sizeof(machine));
	machine.input = INPUT_DEFAULT;
	machine.ops = (struct emulate_ops){
		.fetch = machine_fetch,
		.read = machine_read,
		.check = machine_check,
		.write = machine_write,
		.exchange = machine_exchange,
		.run = machine_run,
		.port = machine_port,
		.control = machine_control,
		.debug = machine_debug,
		.msr = machine_msr,
		.cpuid = machine_cpuid,
		.vector_read = machine_vector_read,
		.vector_write = machine_vector_write,
		.x87 = machine_x87,
	};
	machine.e.state.rflags = RFLAGS_FIXED;
	machine.e.state.rip = CODE;
	machine.e.state.idtr.limit = 0x3ff;
}

static inline void all_segments(uint32_t code, uint32_t data, uint32_t limit)
{
	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++)
		machine.e.state.segment[i] = (struct segment){
			.limit = limit,
			.rights = i == SEGMENT_NUMBER_CS ? code : data,
			.selector = i == SEGMENT_NUMBER_CS ? 8 : 16,
		};
}

static inline void mode_64(void)
{
	machine_clear();
	all_segments(SEGMENT_RIGHTS_CODE64, SEGMENT_RIGHTS_DATA32, 0xffffffff);
	machine.e.state.cr0 = CR0_PE | CR0_PG | CR0_WP;
	machine.e.state.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE;
	machine.e.state.efer = IA32_EFER_LME | IA32_EFER_LMA;
	machine.e.state.xcr0 = 7;
}

static inline void mode_32(void)
{
	machine_clear();
	all_segments(SEGMENT_RIGHTS_CODE32, SEGMENT_RIGHTS_DATA32, 0xffffffff);
	machine.e.state.cr0 = CR0_PE;
	machine.e.state.cr4 = CR4_OSFXSR;
}

static inline void mode_real(void)
{
	machine_clear();
	all_segments(SEGMENT_RIGHTS_DATA16, SEGMENT_RIGHTS_DATA16, 0xffff);
	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++)
		machine.e.state.segment[i].selector = 0;
}

/* Ring 3 in the mode that was chosen. */
static inline void ring_3(void)
{
	struct emulate_state *state = &machine.e.state;

	state->cpl = 3;
	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++) {
		state->segment[i].rights |= SEGMENT_DPL;
		state->segment[i].selector |= 3;
	}
}

static inline void mode_virtual_8086(void)
{
	mode_real();
	machine.e.state.cr0 = CR0_PE | CR0_PG;
	machine.e.state.rflags |= RFLAGS_VM;
	ring_3();
}

/* ---- running --------------------------------------------------------------------------------- */

#define GPR(name)  (machine.e.state.gpr[GPR_##name])
#define FLAG(name) (!!(machine.e.state.rflags & RFLAGS_##name))
struct unaligned64 {
	uint64_t value;
} __attribute__((packed));

struct unaligned32 {
	uint32_t value;
} __attribute__((packed));

struct unaligned16 {
	uint16_t value;
} __attribute__((packed));

#define RAM64(where) (((struct unaligned64 *)(machine.ram + (where)))->value)
#define RAM32(where) (((struct unaligned32 *)(machine.ram + (where)))->value)
#define RAM16(where) (((struct unaligned16 *)(machine.ram + (where)))->value)

static inline void place_code(const uint8_t *bytes, size_t size)
{
	uint64_t linear = machine.e.state.rip + machine.e.state.segment[SEGMENT_NUMBER_CS].base;

	memcpy(machine.ram + linear, bytes, size);
}

/* One call, with the instruction put where CS:RIP points. */
#define STEP(...)                                                                                \
	(place_code((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })), \
	 emulate(&machine.e, &machine.ops, &machine))

static inline bool is_write(enum emulate_access_kind kind)
{
	return kind == EMULATE_WRITE || kind == EMULATE_PORT_OUT || kind == EMULATE_MSR_WRITE;
}

/* As the VMM does: writes are noted, reads get machine.input, which counts up. */
static inline enum emulate_status machine_go(void)
{
	enum emulate_status status;

	while ((status = emulate(&machine.e, &machine.ops, &machine)) == EMULATE_NEEDS_VMM) {
		assert_true(machine.asked_count < JOURNAL_MAX);
		machine.asked[machine.asked_count++] = machine.e.access;
		if (machine.e.access.kind == EMULATE_RUN)
			emulate_answer(&machine.e, machine.e.run.count);
		else if (is_write(machine.e.access.kind))
			emulate_answer(&machine.e, 0);
		else
			emulate_answer(&machine.e, machine.input++);
	}
	return status;
}

#define RUN(...)                                                                                 \
	(place_code((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })), \
	 machine_go())

#define assert_fault(status, expected_vector, expected_error)                          \
	do {                                                                           \
		assert_int_equal(status, EMULATE_FAULT);                               \
		assert_int_equal(machine.e.fault.vector, EXCEPTION_##expected_vector); \
		assert_int_equal(machine.e.fault.error_code, expected_error);          \
	} while (0)

#define assert_asked(index, expected_kind, where, bytes)                              \
	do {                                                                          \
		assert_true((index) < machine.asked_count);                           \
		assert_int_equal(machine.asked[index].kind, EMULATE_##expected_kind); \
		assert_int_equal(machine.asked[index].address, where);                \
		assert_int_equal(machine.asked[index].size, bytes);                   \
	} while (0)

#endif
