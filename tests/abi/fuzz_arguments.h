/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ABI_FUZZ_ARGUMENTS_H
#define HUTCH_TESTS_ABI_FUZZ_ARGUMENTS_H

/*
 * What fuzz.c gives to ioctls: dice, values that sit on borders, and for each request an
 * argument that is nearly right, so that it gets behind the first check. And code for
 * guests: instructions that leave, in no order.
 */

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RAM_SIZE (4u << 20)

struct dice {
	uint64_t state;
};

/* xorshift64: G. Marsaglia, "Xorshift RNGs", 2003 */
static uint64_t roll(struct dice *dice)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return dice->state;
}

static unsigned int below(struct dice *dice, unsigned int limit)
{
	return (unsigned int)((roll(dice) >> 16) % limit);
}

static bool one_in(struct dice *dice, unsigned int count)
{
	return !below(dice, count);
}

/* Values that sit on borders. */
static uint64_t odd_value(struct dice *dice)
{
	static const uint64_t values[] = {
		0,	    1,		2,	    0xfff,	0x1000,
		0xfffff000, UINT32_MAX, 1ull << 32, 1ull << 47, 0xffff800000000000,
		INT64_MAX,  UINT64_MAX, 0xfee00000, 0x80000011, 0xfec00000
	};

	if (one_in(dice, 3))
		return roll(dice);
	return values[below(dice, sizeof(values) / sizeof(values[0]))];
}

static void fill(struct dice *dice, uint8_t *buffer, size_t size)
{
	unsigned int holes = below(dice, 4);

	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t value = below(dice, 4) < holes ? 0 : odd_value(dice);

		memcpy(buffer + i, &value, sizeof(value));
	}
}

/* Anything at all in one byte of what is right otherwise, now and then. */
static void flaw(struct dice *dice, void *buffer, size_t size)
{
	if (one_in(dice, 4))
		((uint8_t *)buffer)[below(dice, (unsigned int)size)] ^= (uint8_t)roll(dice);
}

/* ---- guests ------------------------------------------------------------------------------- */

/*
 * Each of a few bytes, in 16-bit mode; most of them leave the guest. None sets a debug
 * register: an instruction breakpoint where CS has a base ends QEMU's processor, whoever
 * its hypervisor is.
 */
static void guest_code(struct dice *dice, uint8_t *code, size_t size)
{
	static const char *const instructions[] = {
		"\x0f\xa2",	    /* cpuid */
		"\xf4",		    /* hlt */
		"\xfb\xf4",	    /* sti; hlt */
		"\xe6\x80",	    /* out 0x80, al */
		"\xe4\x80",	    /* in al, 0x80 */
		"\xe6\x20",	    /* out 0x20, al */
		"\xe6\x43",	    /* out 0x43, al */
		"\xf3\x6c",	    /* rep insb */
		"\xf3\x6f",	    /* rep outsw */
		"\x0f\x32",	    /* rdmsr */
		"\x0f\x30",	    /* wrmsr */
		"\x0f\x20\xc0",	    /* mov eax, cr0 */
		"\x0f\x22\xc0",	    /* mov cr0, eax */
		"\x0f\x22\xd8",	    /* mov cr3, eax */
		"\x0f\x22\xe0",	    /* mov cr4, eax */
		"\x0f\x21\xf0",	    /* mov eax, dr6 */
		"\x0f\x01\xd9",	    /* vmmcall */
		"\x0f\x01\xc1",	    /* vmcall */
		"\x0f\x01\xd8",	    /* vmrun */
		"\x0f\x01\xdc",	    /* stgi */
		"\x0f\x01\xdd",	    /* clgi */
		"\x0f\x01\xdb",	    /* vmsave */
		"\x0f\x01\xd1",	    /* xsetbv */
		"\x0f\x01\x38",	    /* invlpg [bx+si] */
		"\x0f\x01\x10",	    /* lgdt [bx+si] */
		"\x0f\x01\x18",	    /* lidt [bx+si] */
		"\x0f\x01\xf0",	    /* lmsw ax */
		"\x0f\x09",	    /* wbinvd */
		"\x0f\x31",	    /* rdtsc */
		"\x0f\x33",	    /* rdpmc */
		"\x0f\xc7\x0f",	    /* cmpxchg8b [bx] */
		"\x0f\x0b",	    /* ud2 */
		"\xcc",		    /* int3 */
		"\xf1",		    /* int1 */
		"\xcd\x80",	    /* int 0x80 */
		"\xcf",		    /* iret */
		"\x9c\x9d",	    /* pushf; popf */
		"\xfa",		    /* cli */
		"\x8e\xd0",	    /* mov ss, ax */
		"\x8e\xd8",	    /* mov ds, ax */
		"\xeb\xfe",	    /* jmp to itself */
		"\xeb\x10",	    /* jmp */
		"\xa3\xfe\xff",	    /* mov [0xfffe], ax */
		"\x66\x8b\x07",	    /* mov eax, [bx] */
		"\x66\x89\x07",	    /* mov [bx], eax */
		"\xf3\xa4",	    /* rep movsb */
		"\x66\xb8\x11\x50", /* mov eax, ... */
		"\x66\xb9\x80",	    /* mov ecx, ... */
		"\x48\x31\xd2",	    /* xor dx, dx */
		"\x0f\xae\x07",	    /* fxsave [bx] */
		"\x0f\x01\xc8",	    /* monitor */
		"\xf3\x90",	    /* pause */
		"\xea",		    /* jmp far */
	};

	for (size_t at = 0; at < size;) {
		const char *bytes =
			instructions[below(dice, sizeof(instructions) / sizeof(instructions[0]))];
		size_t length = strlen(bytes);

		for (size_t i = 0; i < length && at < size; i++)
			code[at++] = (uint8_t)bytes[i];
		if (one_in(dice, 8) && at < size)
			code[at++] = (uint8_t)roll(dice);
	}
}

/* ---- nearly right ----------------------------------------------------------------------- */

static void good_list(struct dice *dice, void *buffer)
{
	*(uint32_t *)buffer = below(dice, 64);
}

static void good_msrs(struct dice *dice, void *buffer)
{
	static const uint32_t known[] = {
		0x10,	    0x11,	0x12,	    0x1b,	0x3a,	    0x3b,	0x48,
		0x49,	    0x8b,	0xfe,	    0x174,	0x175,	    0x176,	0x179,
		0x1a0,	    0x1d9,	0x200,	    0x250,	0x277,	    0x2ff,	0x400,
		0x6e0,	    0x802,	0x808,	    0x80b,	0x830,	    0x838,	0xc0000080,
		0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103,
		0xc0010015, 0xc0010114, 0xc0010117, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03
	};
	struct kvm_msrs *msrs = buffer;

	msrs->nmsrs = 1 + below(dice, 16);
	for (unsigned int i = 0; i < msrs->nmsrs; i++) {
		msrs->entries[i].index = known[below(dice, sizeof(known) / sizeof(known[0]))];
		msrs->entries[i].data = one_in(dice, 2) ? below(dice, 0x1000) : odd_value(dice);
	}
}

static void good_cpuid(struct dice *dice, void *buffer)
{
	struct kvm_cpuid2 *cpuid = buffer;

	cpuid->nent = below(dice, 40);
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		cpuid->entries[i].function = below(dice, 32) | (one_in(dice, 2) ? 0x80000000 : 0);
		cpuid->entries[i].flags = below(dice, 2);
	}
}

static void good_segment(struct kvm_segment *segment, uint16_t selector, uint8_t type)
{
	*segment = (struct kvm_segment){
		.limit = 0xffff, .selector = selector, .type = type, .present = 1, .s = 1
	};
}

/* Real mode mostly; what leads into long mode by halves, too. */
static void good_sregs(struct dice *dice, void *buffer)
{
	struct kvm_sregs *sregs = buffer;

	memset(sregs, 0, sizeof(*sregs));
	good_segment(&sregs->cs, 0, 11);
	good_segment(&sregs->ds, 0, 3);
	good_segment(&sregs->es, 0, 3);
	good_segment(&sregs->fs, 0, 3);
	good_segment(&sregs->gs, 0, 3);
	good_segment(&sregs->ss, 0, 3);
	good_segment(&sregs->tr, 0, 11);
	good_segment(&sregs->ldt, 0, 2);
	sregs->tr.s = sregs->ldt.s = 0;
	sregs->cr0 = one_in(dice, 2) ? 0x10 : 0x11;
	sregs->apic_base = 0xfee00900;
	if (one_in(dice, 4))
		sregs->efer = 0x100u << below(dice, 4);
	if (one_in(dice, 4))
		sregs->cr4 = 1u << below(dice, 24);
	if (one_in(dice, 4))
		sregs->cr8 = below(dice, 17);
	flaw(dice, sregs, sizeof(*sregs));
}

static void good_dirty_log(struct dice *dice, void *buffer)
{
	struct kvm_clear_dirty_log *log = buffer; /* its first fields are the other's */

	log->slot = below(dice, 6);
	log->num_pages = below(dice, 1100);
	log->first_page = 64ull * below(dice, 4);
	log->dirty_bitmap = (uint8_t *)buffer + 4096;
}

static void good_filter(struct dice *dice, void *buffer)
{
	struct kvm_msr_filter *filter = buffer;

	memset(filter, 0, sizeof(*filter));
	for (unsigned int i = 0; i < below(dice, KVM_MSR_FILTER_MAX_RANGES); i++)
		filter->ranges[i] = (struct kvm_msr_filter_range){
			.flags = 1 + below(dice, 3),
			.nmsrs = below(dice, 600),
			.base = (uint32_t)odd_value(dice),
			.bitmap = (uint8_t *)buffer + 4096,
		};
}

static void good_eventfd(struct dice *dice, void *buffer)
{
	struct kvm_ioeventfd *event = buffer;

	event->datamatch = below(dice, 4);
	event->addr = one_in(dice, 2) ? 0x80 : 0xd0000000;
	event->len = 1u << below(dice, 4);
	event->fd = 3 + (int)below(dice, 24);
	event->flags = below(dice, 8);
}

static void good_irqfd(struct dice *dice, void *buffer)
{
	struct kvm_irqfd *irqfd = buffer;

	memset(irqfd, 0, sizeof(*irqfd));
	irqfd->fd = 3 + below(dice, 24);
	irqfd->resamplefd = 3 + below(dice, 24);
	irqfd->gsi = below(dice, 26);
	irqfd->flags = below(dice, 4);
}

static void good_routing(struct dice *dice, void *buffer)
{
	struct kvm_irq_routing *routing = buffer;

	routing->nr = below(dice, 30);
	routing->flags = 0;
	for (unsigned int i = 0; i < routing->nr; i++) {
		struct kvm_irq_routing_entry *entry = &routing->entries[i];

		memset(entry, 0, sizeof(*entry));
		entry->gsi = i;
		entry->type = 1 + below(dice, 2);
		if (entry->type == KVM_IRQ_ROUTING_MSI) {
			entry->u.msi.address_lo = 0xfee00000 | below(dice, 0x100000);
			entry->u.msi.data = below(dice, 0x10000);
		} else {
			entry->u.irqchip.irqchip = below(dice, 3);
			entry->u.irqchip.pin = below(dice, 24);
		}
		flaw(dice, entry, sizeof(*entry));
	}
}

static void good_message(struct dice *dice, void *buffer)
{
	struct kvm_msi *message = buffer;

	memset(message, 0, sizeof(*message));
	message->address_lo = 0xfee00000 | below(dice, 0x100000);
	message->data = below(dice, 0x10000);
}

static void good_capability(struct dice *dice, void *buffer)
{
	static const uint32_t capabilities[] = { KVM_CAP_X86_USER_SPACE_MSR,
						 KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
						 KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_X2APIC_API };
	struct kvm_enable_cap *wanted = buffer;

	memset(wanted, 0, sizeof(*wanted));
	wanted->cap = capabilities[below(dice, 4)];
	wanted->args[0] = below(dice, 8);
}

static void good_regs(struct dice *dice, void *buffer)
{
	struct kvm_regs *regs = buffer;

	regs->rip = below(dice, one_in(dice, 4) ? RAM_SIZE : 0x10000);
	regs->rflags = 2 | (roll(dice) & 0x3f7fd5);
	regs->rsp = below(dice, 0x10000);
	regs->rbx = one_in(dice, 2) ? 0xfee00000u + below(dice, 64) * 16 : below(dice, 0x10000);
	regs->rcx = one_in(dice, 2) ? 0xc0000080 + below(dice, 4) : below(dice, 0x900);
	regs->rdx = below(dice, 0x400);
}

static void good_events(struct dice *dice, void *buffer)
{
	struct kvm_vcpu_events *events = buffer;

	memset(events, 0, sizeof(*events));
	events->exception.injected = one_in(dice, 2);
	events->exception.nr = (uint8_t)below(dice, 32);
	events->interrupt.injected = one_in(dice, 2);
	events->interrupt.nr = (uint8_t)below(dice, 256);
	events->nmi.pending = (uint8_t)below(dice, 4);
	events->nmi.injected = one_in(dice, 4);
	events->nmi.masked = one_in(dice, 4);
	events->flags = below(dice, 8) & 5;
}

static void good_words(struct dice *dice, void *buffer)
{
	uint32_t *words = buffer;

	for (unsigned int i = 0; i < 4; i++)
		words[i] = below(dice, i ? 3 : 24);
}

static void good_xsave(struct dice *dice, void *buffer)
{
	memset(buffer, 0, 4096);
	((uint32_t *)buffer)[6] = 0x1f80; /* MXCSR */
	((uint64_t *)buffer)[64] = 3;	  /* XSTATE_BV */
	flaw(dice, buffer, 1024);
}

static void good_debug(struct dice *dice, void *buffer)
{
	struct kvm_guest_debug *debug = buffer;

	memset(debug, 0, sizeof(*debug));
	debug->control = one_in(dice, 2) ? 0 : 1 | below(dice, 4) << 16 | below(dice, 4) << 1;
	debug->arch.debugreg[7] = below(dice, 0x10000);
}

/* The fields before @buffer's own stay as they are; what is not named here is left to fill(). */
static void make_good(struct dice *dice, unsigned long number, void *buffer)
{
	static const struct {
		unsigned long number;
		void (*make)(struct dice *dice, void *buffer);
	} makers[] = {
		{ KVM_GET_MSRS, good_msrs },
		{ KVM_SET_MSRS, good_msrs },
		{ KVM_SET_CPUID2, good_cpuid },
		{ KVM_SET_CPUID, good_list },
		{ KVM_GET_CPUID2, good_list },
		{ KVM_GET_SUPPORTED_CPUID, good_list },
		{ KVM_GET_MSR_INDEX_LIST, good_list },
		{ KVM_SET_SREGS, good_sregs },
		{ KVM_SET_SREGS2, good_sregs },
		{ KVM_GET_DIRTY_LOG, good_dirty_log },
		{ KVM_CLEAR_DIRTY_LOG, good_dirty_log },
		{ KVM_X86_SET_MSR_FILTER, good_filter },
		{ KVM_IOEVENTFD, good_eventfd },
		{ KVM_IRQFD, good_irqfd },
		{ KVM_SET_GSI_ROUTING, good_routing },
		{ KVM_SIGNAL_MSI, good_message },
		{ KVM_ENABLE_CAP, good_capability },
		{ KVM_SET_REGS, good_regs },
		{ KVM_SET_VCPU_EVENTS, good_events },
		{ KVM_SET_XSAVE, good_xsave },
		{ KVM_SET_GUEST_DEBUG, good_debug },
		{ KVM_IRQ_LINE, good_words },
		{ KVM_IRQ_LINE_STATUS, good_words },
		{ KVM_SET_MP_STATE, good_words },
		{ KVM_GET_IRQCHIP, good_words },
		{ KVM_INTERRUPT, good_words },
		{ KVM_CREATE_PIT2, good_words },
	};

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (makers[i].number == number)
			makers[i].make(dice, buffer);
}

#endif
