/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Instructions about the processor itself: interrupts on and off, CPUID, MSRs, control
 * and debug registers, descriptor tables, caches. Who may use them is decided here; what
 * a register's value means is decided by the caller, which has the registers.
 */

#include "x86/emulate_handlers.h"

static bool privileged(struct execution *x)
{
	return x->state->cpl == 0 || stop_gp(x);
}

static bool report(struct execution *x, enum emulate_event event, uint64_t address)
{
	x->emulation->event = event;
	x->emulation->event_address = address;
	return true;
}

/* An access to a register that is not in memory; @value goes in or comes out. */
static bool register_access(struct execution *x, enum emulate_access_kind kind, uint64_t number,
			    uint64_t *value)
{
	struct emulate_access access = {
		.kind = kind, .size = 8, .address = number, .value = *value
	};

	if (!access_make(x, &access))
		return false;
	*value = access.value;
	return true;
}

/* ---- interrupts: SDM 2, "CLI", "STI", "HLT" -------------------------------------------- */

static bool interrupt_flag_allowed(struct execution *x)
{
	uint64_t virtual = x->mode == MODE_VIRTUAL_8086 ? CR4_VME : CR4_PVI;

	if (x->state->cpl <= iopl(x))
		return true;
	if (x->state->cpl == 3 && x->state->cr4 & virtual)
		return stop_unsupported(x, "virtual interrupts");
	return stop_gp(x);
}

bool emulate_cli(struct execution *x)
{
	if (!interrupt_flag_allowed(x))
		return false;
	set_flag(x, RFLAGS_IF, false);
	return true;
}

bool emulate_sti(struct execution *x)
{
	if (!interrupt_flag_allowed(x))
		return false;
	if (!flag(x, RFLAGS_IF))
		x->emulation->shadow = EMULATE_SHADOW_STI;
	set_flag(x, RFLAGS_IF, true);
	return true;
}

bool emulate_hlt(struct execution *x)
{
	return privileged(x) && report(x, EMULATE_EVENT_HLT, 0);
}

/* ---- CPUID, MSRs, TSC -------------------------------------------------------------------- */

bool emulate_cpuid(struct execution *x)
{
	static const uint8_t gprs[4] = { GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX };
	uint32_t registers[4];

	if (!x->ops->cpuid)
		return stop_unsupported(x, "the caller has no operation for it");
	for (unsigned int i = 0; i < 4; i++)
		registers[i] = (uint32_t)x->state->gpr[gprs[i]];
	x->ops->cpuid(x->context, registers);
	for (unsigned int i = 0; i < 4; i++)
		gpr_write(x, gprs[i], 4, registers[i]);
	return true;
}

static bool msr_read(struct execution *x, uint32_t msr)
{
	uint64_t value = 0;

	if (!register_access(x, EMULATE_MSR_READ, msr, &value))
		return false;
	gpr_write(x, GPR_RAX, 4, value);
	gpr_write(x, GPR_RDX, 4, value >> 32);
	return true;
}

bool emulate_rdmsr(struct execution *x)
{
	return privileged(x) && msr_read(x, (uint32_t)x->state->gpr[GPR_RCX]);
}

bool emulate_wrmsr(struct execution *x)
{
	uint64_t value = gpr_read(x, GPR_RAX, 4) | gpr_read(x, GPR_RDX, 4) << 32;

	return privileged(x) &&
	       register_access(x, EMULATE_MSR_WRITE, (uint32_t)x->state->gpr[GPR_RCX], &value);
}

bool emulate_rdtsc(struct execution *x)
{
	if (x->state->cr4 & CR4_TSD && x->state->cpl)
		return stop_gp(x);
	return msr_read(x, IA32_TIME_STAMP_COUNTER);
}

static bool rdtscp(struct execution *x)
{
	uint64_t aux = 0;

	if (!emulate_rdtsc(x) || !register_access(x, EMULATE_MSR_READ, IA32_TSC_AUX, &aux))
		return false;
	gpr_write(x, GPR_RCX, 4, aux);
	return true;
}

/* GS's base and the one that the kernel has put aside change places: SDM 2, "SWAPGS" */
static bool swapgs(struct execution *x)
{
	struct segment *gs = &x->state->segment[SEGMENT_NUMBER_GS];
	uint64_t kernel = 0, user = gs->base;

	if (x->mode != MODE_64)
		return stop_ud(x);
	if (!privileged(x) || !register_access(x, EMULATE_MSR_READ, IA32_KERNEL_GS_BASE, &kernel) ||
	    !register_access(x, EMULATE_MSR_WRITE, IA32_KERNEL_GS_BASE, &user))
		return false;
	gs->base = kernel;
	return true;
}

/* ---- caches ------------------------------------------------------------------------------- */

bool emulate_invd(struct execution *x)
{
	return privileged(x) && report(x, EMULATE_EVENT_INVD, 0);
}

/* F3 makes WBNOINVD of it, which a cache that stays coherent may take for the same. */
bool emulate_wbinvd(struct execution *x)
{
	return privileged(x) && report(x, EMULATE_EVENT_WBINVD, 0);
}

static bool invlpg(struct execution *x)
{
	const struct operand *memory = &x->operand[0];
	uint64_t linear = memory->offset;

	if (x->mode != MODE_64 || memory->segment >= SEGMENT_NUMBER_FS)
		linear += x->state->segment[memory->segment].base;
	if (x->mode != MODE_64)
		linear &= 0xffffffffu;
	return privileged(x) && report(x, EMULATE_EVENT_INVLPG, linear);
}

bool emulate_ud(struct execution *x)
{
	return stop_ud(x);
}

/* ---- control and debug registers: SDM 2, "MOV" ---------------------------------------------- */

/* CR0, CR2, CR3, CR4 and, in 64-bit mode, CR8. */
static bool control_exists(const struct execution *x, unsigned int number)
{
	return number == 0 || (number >= 2 && number <= 4) || (number == 8 && x->mode == MODE_64);
}

bool emulate_mov_from_cr(struct execution *x)
{
	unsigned int number = x->instruction->reg;

	if (!control_exists(x, number))
		return stop_ud(x);
	x->result = 0;
	return privileged(x) && register_access(x, EMULATE_CR_READ, number, &x->result);
}

bool emulate_mov_to_cr(struct execution *x)
{
	unsigned int number = x->instruction->reg;
	uint64_t value = x->operand[0].value;

	if (!control_exists(x, number))
		return stop_ud(x);
	return privileged(x) && register_access(x, EMULATE_CR_WRITE, number, &value);
}

/* DR4 and DR5 are DR6 and DR7, or nothing: SDM 3, 18.2.2 */
static bool debug_number(struct execution *x, unsigned int *number)
{
	*number = x->instruction->reg;
	if (*number >= 8)
		return stop_ud(x);
	if (*number == 4 || *number == 5) {
		if (x->state->cr4 & CR4_DE)
			return stop_ud(x);
		*number += 2;
	}
	return privileged(x);
}

bool emulate_mov_from_dr(struct execution *x)
{
	unsigned int number;

	x->result = 0;
	return debug_number(x, &number) && register_access(x, EMULATE_DR_READ, number, &x->result);
}

bool emulate_mov_to_dr(struct execution *x)
{
	unsigned int number;
	uint64_t value = x->operand[0].value;

	return debug_number(x, &number) && register_access(x, EMULATE_DR_WRITE, number, &value);
}

bool emulate_clts(struct execution *x)
{
	uint64_t value = x->state->cr0 & ~CR0_TS;

	return privileged(x) && register_access(x, EMULATE_CR_WRITE, 0, &value);
}

/* CR4.UMIP keeps programs from looking at the system's tables: SDM 3, 2.5 */
static bool umip(struct execution *x)
{
	return !(x->state->cr4 & CR4_UMIP) || !x->state->cpl || stop_gp(x);
}

/* To a register the operand size, of CR0 as far as it goes; to memory a word. */
bool emulate_smsw(struct execution *x)
{
	return umip(x) && operand_write(x, 0, x->state->cr0);
}

/* PE, MP, EM and TS; PE can be set and not cleared: SDM 2, "LMSW" */
bool emulate_lmsw(struct execution *x)
{
	uint64_t bits = CR0_PE | CR0_MP | CR0_EM | CR0_TS, value;

	if (!privileged(x) || !operand_read(x, 0, EMULATE_READ))
		return false;
	value = (x->state->cr0 & ~(bits & ~CR0_PE)) | (x->operand[0].value & bits);
	return register_access(x, EMULATE_CR_WRITE, 0, &value);
}

/* ---- descriptor tables: SDM 2, "LGDT", "SGDT", "LLDT", "LTR" ---------------------------------- */

static bool table_store(struct execution *x, const struct descriptor_table *table)
{
	const struct operand *memory = &x->operand[0];
	unsigned int size = x->mode == MODE_64 ? 8 : 4;

	return umip(x) && memory_write(x, memory->segment, memory->offset, 2, table->limit) &&
	       memory_write(x, memory->segment, memory->offset + 2, size, table->base);
}

/* With 16-bit operands a base has 24 bits. */
static bool table_load(struct execution *x, struct descriptor_table *table)
{
	const struct operand *memory = &x->operand[0];
	unsigned int size = x->mode == MODE_64 ? 8 : 4;
	uint64_t limit, base;

	if (!privileged(x) ||
	    !memory_read(x, memory->segment, memory->offset, 2, EMULATE_READ, &limit) ||
	    !memory_read(x, memory->segment, memory->offset + 2, size, EMULATE_READ, &base))
		return false;
	if (size == 4 && x->instruction->operand_size == 2)
		base &= 0xffffff;
	if (size == 8 && sign_extend(base, x->state->cr4 & CR4_LA57 ? 8 : 6) != base)
		return stop_gp(x);
	table->limit = (uint16_t)limit;
	table->base = base;
	return true;
}

static bool group_0f01_register(struct execution *x)
{
	switch (x->instruction->modrm) {
	case 0xf8:
		return swapgs(x);
	case 0xf9:
		return rdtscp(x);
	default:
		return stop_unsupported(x, "it is about virtualization, SGX, XCR0 or the like");
	}
}

/* 0F 01: what ModRM.reg says in memory form; in register form almost anything. */
bool emulate_group_0f01(struct execution *x)
{
	unsigned int reg = x->instruction->reg & 7;

	if (reg == 4)
		return emulate_smsw(x);
	if (reg == 6)
		return emulate_lmsw(x);
	if (!x->instruction->has_memory)
		return group_0f01_register(x);
	switch (reg) {
	case 0:
		return table_store(x, &x->state->gdtr);
	case 1:
		return table_store(x, &x->state->idtr);
	case 2:
		return table_load(x, &x->state->gdtr);
	case 3:
		return table_load(x, &x->state->idtr);
	case 7:
		return invlpg(x);
	default:
		return stop_unsupported(x, "it is about shadow stacks");
	}
}

bool emulate_sldt(struct execution *x)
{
	if (!is_protected(x))
		return stop_ud(x);
	x->result = x->state->ldtr.selector;
	return umip(x);
}

bool emulate_str(struct execution *x)
{
	if (!is_protected(x))
		return stop_ud(x);
	x->result = x->state->tr.selector;
	return umip(x);
}

bool emulate_lldt(struct execution *x)
{
	struct segment segment;
	uint16_t selector;

	if (!is_protected(x))
		return stop_ud(x);
	if (!privileged(x) || !operand_read(x, 0, EMULATE_READ))
		return false;
	selector = (uint16_t)x->operand[0].value;
	if (!(selector & ~3u)) {
		x->state->ldtr = segment_load(selector, 0, 0);
		return true;
	}
	if (!system_segment_load(x, selector, 1u << SEGMENT_LDT, &segment))
		return false;
	x->state->ldtr = segment;
	return true;
}

bool emulate_ltr(struct execution *x)
{
	uint32_t types = 1u << SEGMENT_TSS_AVAILABLE;
	struct segment segment;
	uint16_t selector;

	if (!is_protected(x))
		return stop_ud(x);
	if (!privileged(x) || !operand_read(x, 0, EMULATE_READ))
		return false;
	selector = (uint16_t)x->operand[0].value;
	if (!(selector & ~3u))
		return stop_gp(x);
	if (!(x->state->efer & IA32_EFER_LMA))
		types |= 1u << SEGMENT_TSS16_AVAILABLE;
	if (!system_segment_load(x, selector, types, &segment) ||
	    !task_segment_mark_busy(x, &segment))
		return false;
	x->state->tr = segment;
	return true;
}

/* The destination's RPL is raised to the source's: SDM 2, "ARPL" */
bool emulate_arpl(struct execution *x)
{
	uint64_t source, selector;

	if (!is_protected(x))
		return stop_ud(x);
	source = x->operand[1].value & 3;
	if (!operand_read(x, 0, EMULATE_READ))
		return false;
	selector = x->operand[0].value;
	set_flag(x, RFLAGS_ZF, (selector & 3) < source);
	return (selector & 3) >= source || operand_write(x, 0, (selector & ~3ull) | source);
}

/* LAR, LSL, VERR, VERW: about descriptors, of which real mode has none. */
bool emulate_not_real(struct execution *x)
{
	return is_protected(x) ? stop_unsupported(x, "it looks at a descriptor") : stop_ud(x);
}

/* And SYSEXIT, which need protected mode, too, but say so otherwise (SDM 2). */
bool emulate_sysenter(struct execution *x)
{
	return x->mode == MODE_REAL ? stop_gp(x) : stop_unsupported(x, "it changes the ring");
}
