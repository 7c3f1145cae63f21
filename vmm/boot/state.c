/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The processor states that boot protocols begin with.
 *
 * A PC's processor wakes up in real mode and climbs: to protected mode with flat
 * segments, then to long mode with paging. Firmware and a boot loader would do the
 * climbing; here the state is written down as if they had. A descriptor has two
 * faces, the eight bytes in the table and the copy that the processor keeps hidden in
 * the segment register; both must say the same, because the guest may reload it.
 */

#include <string.h>

#include "vmm/boot/loader.h"
#include "x86/registers.h"

/* SDM 3, 3.4.5.1 and 3.5: types of segment descriptors */
#define TYPE_DATA_ACCESSED 0x3 /* read and write */
#define TYPE_CODE_ACCESSED 0xb /* execute and read */
#define TYPE_LDT	   0x2
#define TYPE_TSS_BUSY	   0xb /* 32-bit; in long mode the 64-bit one */

/* SDM 3, 4.5.5: entries of the paging structures */
#define PAGE_PRESENT	     (1ull << 0)
#define PAGE_WRITE	     (1ull << 1)
#define PAGE_SIZE	     (1ull << 7)

#define PAGE_TABLES_PD_COUNT 4
#define PAGE_TABLES_SIZE     ((2 + PAGE_TABLES_PD_COUNT) * 4096ull)

static struct kvm_segment real_segment(uint16_t selector, uint64_t base, uint8_t type)
{
	return (struct kvm_segment){
		.base = base,
		.limit = 0xffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
	};
}

/* SDM 3, 10.1.1, table 10-1 */
void boot_reset_state(struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	const struct kvm_segment data = real_segment(0, 0, TYPE_DATA_ACCESSED);

	memset(regs, 0, sizeof(*regs));
	memset(sregs, 0, sizeof(*sregs));
	regs->rip = 0xfff0;
	regs->rflags = RFLAGS_FIXED;
	regs->rdx = 0x600; /* family 6, as CPUID leaf 1 would say */
	sregs->cs = real_segment(0xf000, 0xffff0000, TYPE_CODE_ACCESSED);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->ldt = real_segment(0, 0, TYPE_LDT);
	sregs->tr = real_segment(0, 0, TYPE_TSS_BUSY);
	sregs->ldt.s = sregs->tr.s = 0;
	sregs->gdt.limit = sregs->idt.limit = 0xffff;
	sregs->cr0 = CR0_CD | CR0_NW | CR0_ET;
	sregs->apic_base = MEMORY_LAPIC_GPA | IA32_APIC_BASE_EN | IA32_APIC_BASE_BSP;
}

void boot_enter_real(struct boot_context *context, uint16_t selector, uint16_t ip, uint16_t sp)
{
	boot_reset_state(&context->regs, &context->sregs);
	/* The caches are on: what ran before a boot sector would have seen to that. */
	context->sregs.cr0 = CR0_ET;
	context->sregs.idt.limit = 0x3ff; /* 256 vectors of four bytes */
	context->sregs.cs = real_segment(selector, (uint64_t)selector << 4, TYPE_CODE_ACCESSED);
	context->regs.rip = ip;
	context->regs.rsp = sp;
}

static uint64_t descriptor(const struct kvm_segment *segment)
{
	const uint64_t limit = segment->g ? segment->limit >> 12 : segment->limit;

	return (limit & 0xffff) | (segment->base & 0xffffff) << 16 | (uint64_t)segment->type << 40 |
	       (uint64_t)segment->s << 44 | (uint64_t)segment->dpl << 45 |
	       (uint64_t)segment->present << 47 | (limit >> 16 & 0xf) << 48 |
	       (uint64_t)segment->avl << 52 | (uint64_t)segment->l << 53 |
	       (uint64_t)segment->db << 54 | (uint64_t)segment->g << 55 |
	       (segment->base >> 24 & 0xff) << 56;
}

/* Flat segments in the registers, and a table in memory that says the same. */
static int place_segments(struct boot_layout *layout, bool long_mode)
{
	struct kvm_sregs *sregs = &layout->context->sregs;
	const struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = BOOT_SELECTOR_CODE,
		.type = TYPE_CODE_ACCESSED,
		.present = 1,
		.db = !long_mode,
		.s = 1,
		.l = long_mode,
		.g = 1,
	};
	struct kvm_segment data = code;
	uint64_t table[4] = { 0 };
	uint64_t gpa;
	int error;

	data.selector = BOOT_SELECTOR_DATA;
	data.type = TYPE_DATA_ACCESSED;
	data.db = 1;
	data.l = 0;
	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;

	table[BOOT_SELECTOR_CODE / 8] = descriptor(&code);
	table[BOOT_SELECTOR_DATA / 8] = descriptor(&data);
	error = boot_place_table(layout, BOOT_GDT_GPA, sizeof(table), "GDT", &gpa);
	if (error)
		return error;
	memcpy(boot_at(layout->context, gpa), table, sizeof(table));
	/* A task state as small as one can be, which PVH asks for; nobody switches tasks. */
	sregs->tr.limit = 0x67;
	sregs->gdt.base = gpa;
	sregs->gdt.limit = sizeof(table) - 1;
	/* No IDT: an interrupt or exception before the guest has one is a shutdown. */
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	return 0;
}

/* A stack for images that expect none, so that a stray push hits nothing else. */
static int place_stack(struct boot_layout *layout)
{
	uint64_t gpa;
	int error = boot_place_table(layout, BOOT_STACK_TOP_GPA - 4096, 4096, "stack", &gpa);

	if (!error)
		layout->context->regs.rsp = gpa + 4096;
	return error;
}

int boot_enter_protected(struct boot_layout *layout, uint32_t eip)
{
	struct boot_context *context = layout->context;
	int error;

	boot_reset_state(&context->regs, &context->sregs);
	context->regs.rdx = 0;
	context->regs.rip = eip;
	context->sregs.cr0 = CR0_PE | CR0_ET;
	error = place_segments(layout, false);
	return error ? error : place_stack(layout);
}

static int place_page_tables(struct boot_layout *layout)
{
	struct boot_context *context = layout->context;
	uint64_t *pml4, *pdpt, *pd;
	uint64_t gpa;
	int error;

	error = boot_place_table(layout, BOOT_PAGE_TABLES_GPA, PAGE_TABLES_SIZE, "page tables",
				 &gpa);
	if (error)
		return error;
	pml4 = (uint64_t *)boot_at(context, gpa);
	pdpt = pml4 + 512;
	pd = pdpt + 512;
	memset(pml4, 0, 2 * 4096);
	pml4[0] = (gpa + 4096) | PAGE_PRESENT | PAGE_WRITE;
	for (uint64_t i = 0; i < PAGE_TABLES_PD_COUNT; i++)
		pdpt[i] = (gpa + (2 + i) * 4096) | PAGE_PRESENT | PAGE_WRITE;
	for (uint64_t i = 0; i < PAGE_TABLES_PD_COUNT * 512; i++)
		pd[i] = i << 21 | PAGE_PRESENT | PAGE_WRITE | PAGE_SIZE;
	context->sregs.cr3 = gpa;
	return 0;
}

int boot_enter_long(struct boot_layout *layout, uint64_t rip)
{
	struct boot_context *context = layout->context;
	int error;

	boot_reset_state(&context->regs, &context->sregs);
	context->regs.rdx = 0;
	context->regs.rip = rip;
	context->sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
	context->sregs.cr4 = CR4_PAE;
	context->sregs.efer = IA32_EFER_LME | IA32_EFER_LMA;
	error = place_segments(layout, true);
	if (!error)
		error = place_page_tables(layout);
	return error ? error : place_stack(layout);
}
