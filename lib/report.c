/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What is to be said about an exit that nobody handled: all that helps to find out
 * why, in the manuals' own names. The report only looks: it may be made after any
 * exit, and the guest could go on as if it had not been.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/object.h"
#include "lib/report.h"
#include "x86/paging.h"
#include "x86/register_names.h"
#include "x86/registers.h"
#include "x86/segment.h"

void report_print(struct report *report, const char *format, ...)
{
	size_t left = report->used < report->size ? report->size - report->used : 0;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(left ? report->buffer + report->used : NULL, left, format, arguments);
	va_end(arguments);
	if (length > 0)
		report->used += (size_t)length;
}

struct state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct paging paging;
};

/* ---- the code at RIP --------------------------------------------------------- */

#define CODE_BEFORE 16
#define CODE_BEHIND 16

static bool read_entry(void *context, uint64_t gpa, unsigned int size, uint64_t *entry)
{
	const struct hutch_vm *vm = context;
	const void *host = hutch_memory_at(vm, gpa, size);

	*entry = 0;
	if (host)
		memcpy(entry, host, size);
	return host;
}

static uint64_t linear_rip(const struct state *state)
{
	uint64_t linear = state->sregs.cs.base + state->regs.rip;

	return (state->sregs.efer & IA32_EFER_LMA) && state->sregs.cs.l ? linear : (uint32_t)linear;
}

/* The byte at a linear address, or -1. */
static int code_byte(const struct hutch_vm *vm, const struct state *state, uint64_t linear)
{
	struct paging_result result =
		paging_look(&state->paging, linear, read_entry, (void *)(uintptr_t)vm);
	const uint8_t *host = NULL;

	if (result.status == PAGING_MAPPED)
		host = hutch_memory_at(vm, result.gpa, 1);
	return host ? *host : -1;
}

static void put_code(struct report *report, const struct hutch_vm *vm, const struct state *state)
{
	uint64_t rip = linear_rip(state);
	struct paging_result result =
		paging_look(&state->paging, rip, read_entry, (void *)(uintptr_t)vm);

	report_print(report, "code at linear 0x%" PRIx64, rip);
	switch (result.status) {
	case PAGING_MAPPED:
		report_print(report, ", physical 0x%" PRIx64 "%s\n", result.gpa,
			     hutch_memory_at(vm, result.gpa, 1) ? "" : " (no memory there)");
		break;
	case PAGING_FAULT:
		report_print(report,
			     ": not mapped: level %u entry at 0x%" PRIx64 " is 0x%" PRIx64 "\n",
			     result.level, result.entry_gpa, result.entry);
		return;
	case PAGING_NO_TABLE:
		report_print(report,
			     ": its level %u page table at 0x%" PRIx64 " is not in memory\n",
			     result.level, result.entry_gpa);
		return;
	case PAGING_NOT_CANONICAL:
		report_print(report, ": not a canonical address\n");
		return;
	}
	report_print(report, " ");
	for (int i = -CODE_BEFORE; i < CODE_BEHIND; i++) {
		int byte = code_byte(vm, state, rip + (uint64_t)(int64_t)i);

		if (byte < 0)
			report_print(report, i ? " --" : " <-->");
		else
			report_print(report, i ? " %02x" : " <%02x>", (unsigned int)byte);
	}
	report_print(report, "\n");
}

/* ---- the registers ------------------------------------------------------------- */

static void put_general(struct report *report, const struct kvm_regs *regs)
{
	static const char *const names[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi",
					     "rsp", "rbp", "r8",  "r9",	 "r10", "r11",
					     "r12", "r13", "r14", "r15", "rip" };
	const uint64_t values[] = { regs->rax, regs->rbx, regs->rcx, regs->rdx, regs->rsi,
				    regs->rdi, regs->rsp, regs->rbp, regs->r8,	regs->r9,
				    regs->r10, regs->r11, regs->r12, regs->r13, regs->r14,
				    regs->r15, regs->rip };
	const unsigned int count = sizeof(values) / sizeof(values[0]);
	char flags[REGISTER_NAMES_MAX];

	for (unsigned int i = 0; i < count; i++)
		report_print(report, "%-3s %016" PRIx64 "%s", names[i], values[i],
			     i % 4 == 3	     ? "\n"
			     : i + 1 < count ? "  "
					     : "");
	rflags_names(regs->rflags, flags, sizeof(flags));
	report_print(report, " rflags %08" PRIx64 "%s%s\n", (uint64_t)regs->rflags,
		     *flags ? "  " : "", flags);
}

static void put_named(struct report *report, const char *name, uint64_t value, const char *bits)
{
	report_print(report, "%-4s %016" PRIx64 "%s%s\n", name, value, *bits ? "  " : "", bits);
}

static void put_control(struct report *report, const struct kvm_sregs *sregs)
{
	char names[REGISTER_NAMES_MAX];

	cr0_names(sregs->cr0, names, sizeof(names));
	put_named(report, "cr0", sregs->cr0, names);
	report_print(report, "cr2  %016" PRIx64 "  cr3  %016" PRIx64 "  cr8  %" PRIx64 "\n",
		     (uint64_t)sregs->cr2, (uint64_t)sregs->cr3, (uint64_t)sregs->cr8);
	cr4_names(sregs->cr4, names, sizeof(names));
	put_named(report, "cr4", sregs->cr4, names);
	efer_names(sregs->efer, names, sizeof(names));
	put_named(report, "efer", sregs->efer, names);
	report_print(report, "apic_base %08" PRIx64 "\n", (uint64_t)sregs->apic_base);
}

static uint32_t segment_rights(const struct kvm_segment *segment)
{
	return segment->type | (segment->s ? SEGMENT_S : 0) |
	       (uint32_t)segment->dpl << SEGMENT_DPL_SHIFT | (segment->present ? SEGMENT_P : 0) |
	       (segment->avl ? SEGMENT_AVL : 0) | (segment->l ? SEGMENT_L : 0) |
	       (segment->db ? SEGMENT_DB : 0) | (segment->g ? SEGMENT_G : 0) |
	       (segment->unusable ? SEGMENT_UNUSABLE : 0);
}

static void put_segments(struct report *report, const struct kvm_sregs *sregs)
{
	static const char *const names[] = { "cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt" };
	const struct kvm_segment *const segments[] = { &sregs->cs, &sregs->ds, &sregs->es,
						       &sregs->fs, &sregs->gs, &sregs->ss,
						       &sregs->tr, &sregs->ldt };
	char text[SEGMENT_TEXT_MAX];

	for (unsigned int i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		segment_rights_text(segment_rights(segments[i]), text, sizeof(text));
		report_print(report, "%-4s %04x  base %016" PRIx64 "  limit %08x  %s\n", names[i],
			     segments[i]->selector, (uint64_t)segments[i]->base, segments[i]->limit,
			     text);
	}
	report_print(report, "gdt        base %016" PRIx64 "  limit %08x\n",
		     (uint64_t)sregs->gdt.base, sregs->gdt.limit);
	report_print(report, "idt        base %016" PRIx64 "  limit %08x\n",
		     (uint64_t)sregs->idt.base, sregs->idt.limit);
}

static const char *processor_mode(const struct state *state)
{
	const struct kvm_sregs *sregs = &state->sregs;

	if (!(sregs->cr0 & CR0_PE))
		return "real mode";
	if (state->regs.rflags & RFLAGS_VM)
		return "virtual-8086 mode";
	if (sregs->efer & IA32_EFER_LMA)
		return sregs->cs.l ? "64-bit mode" : "compatibility mode";
	return sregs->cs.db ? "32-bit protected mode" : "16-bit protected mode";
}

int hutch_registers_text(const struct kvm_regs *regs, const struct kvm_sregs *sregs, char *buffer,
			 size_t size)
{
	struct report report = { buffer, size, 0 };

	if (size)
		buffer[0] = '\0';
	put_general(&report, regs);
	put_control(&report, sregs);
	put_segments(&report, sregs);
	return (int)report.used;
}

int hutch_vcpu_report(struct hutch_vcpu *vcpu, char *buffer, size_t size)
{
	struct report report = { buffer, size, 0 };
	struct state state;

	if (size)
		buffer[0] = '\0';
	report_print(&report, "vCPU %u: ", vcpu->id);
	report_exit(&report, vcpu);
	if (hutch_vcpu_get_regs(vcpu, &state.regs) || hutch_vcpu_get_sregs(vcpu, &state.sregs)) {
		report_print(&report, "registers: %s\n", hutch_error());
		return (int)report.used;
	}
	state.paging = (struct paging){
		.cr0 = state.sregs.cr0,
		.cr3 = state.sregs.cr3,
		.cr4 = state.sregs.cr4,
		.efer = state.sregs.efer,
		.address_bits = 52, /* as wide as any: a look shall not fail for a bit too high */
	};
	report_print(&report, "%s, ring %u, paging %s\n", processor_mode(&state),
		     state.sregs.ss.dpl, paging_mode_name(paging_mode(&state.paging)));
	put_code(&report, vcpu->vm, &state);
	put_general(&report, &state.regs);
	put_control(&report, &state.sregs);
	put_segments(&report, &state.sregs);
	return (int)report.used;
}
