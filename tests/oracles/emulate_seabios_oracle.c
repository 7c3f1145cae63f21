/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * A whole program on the emulator alone: SeaBIOS from the first instruction after reset
 * to the end of its power-on self-test and on to where it finds nothing to boot from.
 * Nearly two million instructions of real mode, protected mode and the ways between
 * them, none of which may fault, be unsupported, or compute anything wrong: the BIOS
 * copies itself, checks sums, sets up interrupt handlers, and says what it does at its
 * debug port (0x402), where this program listens.
 *
 *	emulate_seabios_oracle [BIOS]
 *
 * The machine has 64 MiB of memory, CMOS, a PIT and a TSC that count, and nothing else:
 * ports read as all ones. A HLT waits for the timer interrupt, which comes at once.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "x86/emulate.h"
#include "x86/registers.h"

#define BIOS_DEFAULT	 "/usr/share/seabios/bios.bin"
#define BIOS_SIZE_MAX	 0x40000
#define RAM_SIZE	 0x4000000u
#define INSTRUCTIONS_MAX 50000000ull
#define TEXT_MAX	 16384
#define DEBUG_PORT	 0x402
#define TIMER_VECTOR	 8
#define LAST_WORDS	 "No bootable device."

static uint8_t *ram;
static uint8_t bios[BIOS_SIZE_MAX];
static size_t bios_size;
static struct emulation emulation;
static uint8_t cmos[128], cmos_index;
static uint64_t controls[16];
static uint64_t instructions;
static char text[TEXT_MAX];
static size_t text_length;

/* ---- the machine --------------------------------------------------------------------- */

/* The BIOS lies below 4 GiB; its copy below 1 MiB is memory. NULL where there is none. */
static uint8_t *at(uint64_t address)
{
	uint64_t bios_start = 0x100000000ull - bios_size;

	if (address >= bios_start && address - bios_start < bios_size)
		return bios + (address - bios_start);
	return address < RAM_SIZE ? ram + address : NULL;
}

static uint8_t get(uint64_t address)
{
	const uint8_t *byte = at(address);

	return byte ? *byte : 0xff;
}

static enum emulate_answer op_fetch(void *context, uint64_t linear, unsigned int size,
				    uint8_t *bytes, struct emulate_fault *fault)
{
	(void)context;
	(void)fault;
	for (unsigned int i = 0; i < size; i++)
		bytes[i] = get(linear + i);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_read(void *context, struct emulate_access *access,
				   struct emulate_fault *fault)
{
	(void)context;
	(void)fault;
	access->value = 0;
	for (unsigned int i = 0; i < access->size; i++)
		access->value |= (uint64_t)get(access->address + i) << (i * 8);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_check(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	(void)context;
	(void)access;
	(void)fault;
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_write(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	(void)context;
	(void)fault;
	for (unsigned int i = 0; i < access->size; i++)
		if (access->address + i < RAM_SIZE)
			ram[access->address + i] = (uint8_t)(access->value >> (i * 8));
	return EMULATE_ANSWER_DONE;
}

static void port_out(uint16_t port, uint64_t value)
{
	if (port == DEBUG_PORT && text_length < TEXT_MAX - 1)
		text[text_length++] = (char)value;
	if (port == 0x70)
		cmos_index = value & 127;
	if (port == 0x71)
		cmos[cmos_index] = (uint8_t)value;
}

static uint64_t port_in(uint16_t port)
{
	switch (port) {
	case DEBUG_PORT:
		return 0xe9; /* it is there */
	case 0x71:
		return cmos[cmos_index];
	case 0x40: /* the PIT's counters, and the refresh bit that toggles */
	case 0x42:
	case 0x61:
		return instructions * 7 >> 2;
	case 0x64:
		return 0;
	default:
		return ~0ull;
	}
}

static enum emulate_answer op_port(void *context, struct emulate_access *access,
				   struct emulate_fault *fault)
{
	(void)context;
	(void)fault;
	if (access->kind == EMULATE_PORT_OUT)
		port_out((uint16_t)access->address, access->value);
	else
		access->value = port_in((uint16_t)access->address);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_control(void *context, struct emulate_state *state,
				      struct emulate_access *access, struct emulate_fault *fault)
{
	(void)context;
	(void)fault;
	if (access->kind == EMULATE_CR_READ)
		access->value = access->address ? controls[access->address] : state->cr0;
	else if (access->address)
		controls[access->address] = access->value;
	else
		state->cr0 = access->value;
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_msr(void *context, struct emulate_state *state,
				  struct emulate_access *access, struct emulate_fault *fault)
{
	(void)context;
	(void)state;
	(void)fault;
	if (access->kind == EMULATE_MSR_READ)
		access->value = access->address == IA32_TIME_STAMP_COUNTER ? instructions * 50 : 0;
	return EMULATE_ANSWER_DONE;
}

/* One leaf, with a TSC and MSRs; no APIC, so that the BIOS does not look for one. */
static void op_cpuid(void *context, uint32_t registers[4])
{
	uint32_t leaf = registers[0];

	(void)context;
	memset(registers, 0, 4 * sizeof(registers[0]));
	registers[0] = leaf == 0;
	if (leaf == 1)
		registers[3] = 1u << 4 | 1u << 5;
}

static const struct emulate_ops ops = {
	.fetch = op_fetch,
	.read = op_read,
	.check = op_check,
	.write = op_write,
	.port = op_port,
	.control = op_control,
	.msr = op_msr,
	.cpuid = op_cpuid,
};

/* ---- running ------------------------------------------------------------------------------- */

/* SDM 3, 9.1.4: what a processor is like after reset. */
static void reset(void)
{
	struct emulate_state *state = &emulation.state;

	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++)
		state->segment[i] =
			(struct segment){ .limit = 0xffff, .rights = SEGMENT_RIGHTS_DATA16 };
	state->segment[SEGMENT_NUMBER_CS].selector = 0xf000;
	state->segment[SEGMENT_NUMBER_CS].base = 0xffff0000;
	state->rip = 0xfff0;
	state->rflags = RFLAGS_FIXED;
	state->idtr.limit = 0x3ff;
	state->cr0 = CR0_CD | CR0_NW | CR0_ET;
}

static void push(uint64_t value)
{
	struct emulate_state *state = &emulation.state;
	uint16_t sp = (uint16_t)(state->gpr[GPR_RSP] - 2);
	uint8_t bytes[2] = { (uint8_t)value, (uint8_t)(value >> 8) };

	state->gpr[GPR_RSP] = (state->gpr[GPR_RSP] & ~0xffffull) | sp;
	memcpy(ram + state->segment[SEGMENT_NUMBER_SS].base + sp, bytes, 2);
}

/* The timer's interrupt, as the processor takes it in real mode: SDM 3, 20.1.4 */
static void interrupt(void)
{
	struct emulate_state *state = &emulation.state;
	struct segment *cs = &state->segment[SEGMENT_NUMBER_CS];

	push(state->rflags);
	push(cs->selector);
	push(state->rip);
	state->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC);
	state->rip = get(TIMER_VECTOR * 4) | (uint64_t)get(TIMER_VECTOR * 4 + 1) << 8;
	cs->selector = (uint16_t)(get(TIMER_VECTOR * 4 + 2) | get(TIMER_VECTOR * 4 + 3) << 8);
	cs->base = (uint64_t)cs->selector << 4;
}

static bool has_ended(void)
{
	return text_length >= sizeof(LAST_WORDS) &&
	       strstr(text + (text_length > 200 ? text_length - 200 : 0), LAST_WORDS);
}

/* True if the BIOS came to its end; else where and why it stopped. */
static bool run(void)
{
	while (instructions++ < INSTRUCTIONS_MAX && !has_ended()) {
		enum emulate_status status = emulate(&emulation, &ops, NULL);

		if (status != EMULATE_DONE || emulation.event == EMULATE_EVENT_INTERRUPT) {
			printf("# status %u at %04x:%04llx: vector %u, %s\n", status,
			       emulation.state.segment[SEGMENT_NUMBER_CS].selector,
			       (unsigned long long)emulation.state.rip, emulation.fault.vector,
			       emulation.why ? emulation.why : "");
			return false;
		}
		if (emulation.event == EMULATE_EVENT_HLT && emulation.state.rflags & RFLAGS_IF)
			interrupt();
	}
	return has_ended();
}

static bool load(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		return false;
	bios_size = fread(bios, 1, sizeof(bios), file);
	(void)fclose(file);
	memcpy(ram + 0x100000 - bios_size, bios, bios_size);
	return bios_size;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : BIOS_DEFAULT;
	bool ended;

	ram = calloc(1, RAM_SIZE);
	if (!ram || !load(path)) {
		printf("skipped: %s is not here (Debian package seabios)\n", path);
		free(ram);
		return 0;
	}
	/* Memory above 16 MiB in units of 64 KiB: CMOS 0x34 and 0x35. */
	cmos[0x34] = (RAM_SIZE / 0x10000 - 256) & 0xff;
	cmos[0x35] = (RAM_SIZE / 0x10000 - 256) >> 8;
	reset();
	ended = run();
	if (!ended)
		printf("%s\n", text);
	printf("%llu instructions, SeaBIOS %s\n", (unsigned long long)instructions,
	       ended ? "came to its end" : "did not come to its end");
	free(ram);
	return ended ? 0 : 1;
}
