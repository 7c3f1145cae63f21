/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/mptable.h"

#include <stddef.h>
#include <string.h>

#include "vmm/memory_map.h"

/*
 * The way to the table begins in the BIOS data area, as on every PC with an EBDA:
 *
 *	0x40e		the EBDA's segment
 *	 EBDA + 16	the MP floating pointer: "_MP_" and the table's address
 *	  table		a header, then entries in the order of their types: processors,
 *			buses, IOAPICs, interrupts wired to them, interrupts wired to
 *			the local APICs
 *
 * Section numbers are those of Intel's MultiProcessor Specification 1.4.
 */

#define PACKED __attribute__((packed))

/* Words of the BIOS data area: where the EBDA begins, and how many KiB of RAM lie below it. */
#define BDA_EBDA_SEGMENT 0x40e
#define BDA_MEMORY_KIB	 0x413

/* The EBDA's first byte is its size in KiB; the pointer must stand at a multiple of 16. */
#define FLOATING_POINTER_GPA (MEMORY_EBDA_GPA + 16)

#define SPECIFICATION_1_4    4

/* 4.1: floating pointer structure */
struct floating_pointer {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16 bytes */
	uint8_t specification;
	uint8_t checksum;
	uint8_t feature[5]; /* [0] 0: a table is there; [1] bit 7 clear: no IMCR, virtual wire */
} PACKED;

_Static_assert(sizeof(struct floating_pointer) == 16, "one paragraph");

/* 4.2: configuration table header */
struct table_header {
	char signature[4];
	uint16_t length;
	uint8_t specification;
	uint8_t checksum;
	char oem_id[8];
	char product_id[12];
	uint32_t oem_table;
	uint16_t oem_table_size;
	uint16_t entry_count;
	uint32_t local_apic_address;
	uint16_t extended_length;
	uint8_t extended_checksum;
	uint8_t reserved;
} PACKED;

/* 4.3: the entries' types */
enum entry_type {
	ENTRY_PROCESSOR = 0,
	ENTRY_BUS = 1,
	ENTRY_IO_APIC = 2,
	ENTRY_IO_INTERRUPT = 3,
	ENTRY_LOCAL_INTERRUPT = 4,
};

#define PROCESSOR_ENABLED 1
#define PROCESSOR_BOOT	  2

struct processor {
	uint8_t type, apic_id, apic_version, flags;
	uint32_t signature, features;
	uint32_t reserved[2];
} PACKED;

struct bus {
	uint8_t type, id;
	char name[6];
} PACKED;

#define IO_APIC_ENABLED 1

struct io_apic {
	uint8_t type, id, version, flags;
	uint32_t address;
} PACKED;

enum interrupt_type {
	INTERRUPT_INT = 0,
	INTERRUPT_NMI = 1,
	INTERRUPT_EXTINT = 3,
};

struct interrupt {
	uint8_t type, interrupt_type;
	uint16_t flags; /* 0: polarity and trigger mode as usual on the source bus */
	uint8_t source_bus, source_irq, destination_id, destination_pin;
} PACKED;

#define ISA_BUS		   0
#define ISA_IRQ_COUNT	   16
#define CASCADE_IRQ	   2 /* the second 8259A's line: no device has it */
#define TIMER_PIN	   2 /* ISA's IRQ 0 at the IOAPIC */
#define ALL_LOCAL_APICS	   255
#define LOCAL_APIC_VERSION 0x14 /* integrated: SDM 3, 11.4.8 */
#define IO_APIC_VERSION	   0x11 /* 82093AA, 3.2.2 */

static uint8_t checksum(const void *start, size_t size)
{
	const uint8_t *bytes = start;
	uint8_t sum = 0;

	while (size--)
		sum += *bytes++;
	return (uint8_t)-sum;
}

/* The table while it grows: its header is filled in last. */
struct table {
	uint8_t *bytes;
	uint16_t length, entry_count;
};

static void add(struct table *table, const void *entry, size_t size)
{
	memcpy(table->bytes + table->length, entry, size);
	table->length += (uint16_t)size;
	table->entry_count++;
}

static unsigned int add_processors(struct table *table, const struct mptable_machine *machine)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		uint32_t id = machine->apic_ids ? machine->apic_ids[i] : i;
		const struct processor processor = {
			.type = ENTRY_PROCESSOR,
			.apic_id = (uint8_t)id,
			.apic_version = LOCAL_APIC_VERSION,
			.flags = PROCESSOR_ENABLED | (i == 0 ? PROCESSOR_BOOT : 0),
			.signature = machine->cpu_signature,
			.features = machine->cpu_features,
		};

		if (id > MPTABLE_APIC_ID_MAX || count == MPTABLE_APIC_ID_MAX + 1)
			continue;
		add(table, &processor, sizeof(processor));
		count++;
	}
	return count;
}

static void add_wiring(struct table *table, uint8_t ioapic_id)
{
	struct bus isa = { .type = ENTRY_BUS, .id = ISA_BUS };
	const struct io_apic io_apic = {
		.type = ENTRY_IO_APIC,
		.id = ioapic_id,
		.version = IO_APIC_VERSION,
		.flags = IO_APIC_ENABLED,
		.address = (uint32_t)MEMORY_IOAPIC_GPA,
	};

	memcpy(isa.name, "ISA   ", sizeof(isa.name));
	add(table, &isa, sizeof(isa));
	add(table, &io_apic, sizeof(io_apic));
	for (uint8_t irq = 0; irq < ISA_IRQ_COUNT; irq++) {
		const struct interrupt interrupt = {
			.type = ENTRY_IO_INTERRUPT,
			.interrupt_type = INTERRUPT_INT,
			.source_bus = ISA_BUS,
			.source_irq = irq,
			.destination_id = ioapic_id,
			.destination_pin = irq == 0 ? TIMER_PIN : irq,
		};

		if (irq != CASCADE_IRQ)
			add(table, &interrupt, sizeof(interrupt));
	}
}

/* Virtual wire mode (3.6.2.2): the 8259A pair comes in through LINT0, NMI through LINT1. */
static void add_local_interrupts(struct table *table)
{
	const struct interrupt lint0 = {
		.type = ENTRY_LOCAL_INTERRUPT,
		.interrupt_type = INTERRUPT_EXTINT,
		.source_bus = ISA_BUS,
		.destination_id = ALL_LOCAL_APICS,
		.destination_pin = 0,
	};
	const struct interrupt lint1 = {
		.type = ENTRY_LOCAL_INTERRUPT,
		.interrupt_type = INTERRUPT_NMI,
		.source_bus = ISA_BUS,
		.destination_id = ALL_LOCAL_APICS,
		.destination_pin = 1,
	};

	add(table, &lint0, sizeof(lint0));
	add(table, &lint1, sizeof(lint1));
}

static void write_header(const struct table *table)
{
	struct table_header header = {
		.length = table->length,
		.specification = SPECIFICATION_1_4,
		.entry_count = table->entry_count,
		.local_apic_address = (uint32_t)MEMORY_LAPIC_GPA,
	};

	memcpy(header.signature, "PCMP", sizeof(header.signature));
	memcpy(header.oem_id, "HUTCH   ", sizeof(header.oem_id));
	memcpy(header.product_id, "HUTCHVM     ", sizeof(header.product_id));
	memcpy(table->bytes, &header, sizeof(header));
	table->bytes[offsetof(struct table_header, checksum)] =
		checksum(table->bytes, table->length);
}

static void write_pointer(uint8_t *ram)
{
	const uint16_t segment = (uint16_t)(MEMORY_EBDA_GPA >> 4);
	const uint16_t memory_kib = (uint16_t)(MEMORY_EBDA_GPA >> 10);
	struct floating_pointer pointer = {
		.table = (uint32_t)MEMORY_MP_TABLE_GPA,
		.length = sizeof(pointer) / 16,
		.specification = SPECIFICATION_1_4,
	};

	memcpy(pointer.signature, "_MP_", sizeof(pointer.signature));
	pointer.checksum = checksum(&pointer, sizeof(pointer));
	memcpy(ram + FLOATING_POINTER_GPA, &pointer, sizeof(pointer));
	ram[MEMORY_EBDA_GPA] = (uint8_t)((MEMORY_HOLE_GPA - MEMORY_EBDA_GPA) >> 10);
	memcpy(ram + BDA_EBDA_SEGMENT, &segment, sizeof(segment));
	memcpy(ram + BDA_MEMORY_KIB, &memory_kib, sizeof(memory_kib));
}

unsigned int mptable_build(const struct mptable_machine *machine, uint8_t *ram)
{
	struct table table = {
		.bytes = ram + MEMORY_MP_TABLE_GPA,
		.length = sizeof(struct table_header),
	};
	unsigned int described = add_processors(&table, machine);

	add_wiring(&table, machine->ioapic_id);
	add_local_interrupts(&table);
	write_header(&table);
	write_pointer(ram);
	return described;
}
