/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/acpi.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "dsdt.h" /* dsdt_aml_code[], made of vmm/dsdt.asl */
#include "vmm/memory_map.h"

/*
 * The tables hang together like this, each address pointing down:
 *
 *	RSDP		found by its signature between 0xe0000 and 1 MiB
 *	 XSDT, RSDT	lists of all other tables, with 64-bit and 32-bit addresses
 *	  FADT		power management: ports, interrupt, flags
 *	   FACS		a lock shared with firmware, which nobody here contends for
 *	   DSDT		the other devices, as byte code
 *	  MADT		the interrupt controllers, and with them the processors
 *
 * Section numbers are those of the ACPI specification 6.4.
 */

#define PACKED __attribute__((packed))

/* 5.2.6: system description table header */
struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

/* 5.2.5.3: root system description pointer; checksum covers the first 20 bytes */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;

#define RSDP_FIRST_LENGTH 20

/* 5.2.3.2: generic address structure */
struct gas {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} PACKED;

#define GAS_SYSTEM_IO 1

enum gas_access { GAS_BYTE = 1, GAS_WORD = 2, GAS_DWORD = 3 };

/* 5.2.9: fixed ACPI description table */
struct fadt {
	struct header header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t reserved1, preferred_pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk;
	uint32_t pm2_cnt_blk, pm_tmr_blk, gpe0_blk, gpe1_blk;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len;
	uint8_t gpe0_blk_len, gpe1_blk_len, gpe1_base, cst_cnt;
	uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alrm, mon_alrm, century;
	uint16_t iapc_boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl, x_dsdt;
	struct gas x_pm1a_evt_blk, x_pm1b_evt_blk, x_pm1a_cnt_blk, x_pm1b_cnt_blk;
	struct gas x_pm2_cnt_blk, x_pm_tmr_blk, x_gpe0_blk, x_gpe1_blk;
	struct gas sleep_control_reg, sleep_status_reg;
	char hypervisor_vendor[8];
} PACKED;

_Static_assert(sizeof(struct fadt) == 276, "the FADT of ACPI 6");

/* 5.2.9.3: IAPC_BOOT_ARCH */
#define BOOT_LEGACY_DEVICES	(1u << 0)
#define BOOT_8042		(1u << 1)
#define BOOT_VGA_NOT_PRESENT	(1u << 2)
#define BOOT_MSI_NOT_SUPPORTED	(1u << 3)
#define BOOT_PCIE_ASPM_CONTROLS (1u << 4)

/* 5.2.9, table 5.10: fixed feature flags */
#define FLAG_WBINVD	   (1u << 0)
#define FLAG_PROC_C1	   (1u << 2)
#define FLAG_SLP_BUTTON	   (1u << 5) /* there is none in the fixed hardware */
#define FLAG_FIX_RTC	   (1u << 6) /* nor does the RTC's alarm show there */
#define FLAG_TMR_VAL_EXT   (1u << 8) /* PM_TMR has 32 bits */
#define FLAG_RESET_REG_SUP (1u << 10)

/* C2 and C3 are absent when their latencies exceed 100 and 1000 microseconds. */
#define NO_C2_LATENCY 101
#define NO_C3_LATENCY 1001

/* Where the RTC keeps the century, as every PC since the PS/2 */
#define CMOS_CENTURY 0x32

/* 5.2.10: firmware ACPI control structure */
struct facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t firmware_waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_firmware_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} PACKED;

_Static_assert(sizeof(struct facs) == 64, "the FACS is 64 bytes long");

/* 5.2.12: multiple APIC description table; its entries follow */
struct madt {
	struct header header;
	uint32_t local_apic_address;
	uint32_t flags;
} PACKED;

#define MADT_PCAT_COMPAT (1u << 0) /* the 8259A pair is there too */

enum madt_type {
	MADT_LOCAL_APIC = 0,
	MADT_IO_APIC = 1,
	MADT_INTERRUPT_SOURCE_OVERRIDE = 2,
	MADT_LOCAL_APIC_NMI = 4,
	MADT_LOCAL_X2APIC = 9,
	MADT_LOCAL_X2APIC_NMI = 10,
};

struct madt_local_apic {
	uint8_t type, length, processor_uid, apic_id;
	uint32_t flags;
} PACKED;

struct madt_local_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t apic_id, flags, processor_uid;
} PACKED;

struct madt_io_apic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} PACKED;

struct madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} PACKED;

struct madt_local_apic_nmi {
	uint8_t type, length, processor_uid;
	uint16_t flags;
	uint8_t lint;
} PACKED;

struct madt_local_x2apic_nmi {
	uint8_t type, length;
	uint16_t flags;
	uint32_t processor_uid;
	uint8_t lint;
	uint8_t reserved[3];
} PACKED;

#define MADT_ENABLED (1u << 0)
/* 5.2.12.5: MPS INTI flags */
#define INTI_CONFORMS	 0
#define INTI_ACTIVE_HIGH (1u << 0)
#define INTI_LEVEL	 (3u << 2)
/* An id of 255 and above cannot be said in a local APIC entry, whose 255 means "all". */
#define LOCAL_APIC_ID_LIMIT 255

/* The place in guest memory where the next table goes. */
struct writer {
	uint8_t *ram;
	uint64_t gpa;
	struct acpi_tables *tables;
};

static uint8_t checksum(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum += *bytes++;
	return (uint8_t)-sum;
}

static void note(struct acpi_tables *tables, const char *signature, size_t length, uint64_t gpa,
		 uint32_t size)
{
	memcpy(tables->table[tables->count].signature, signature, length);
	tables->table[tables->count].gpa = gpa;
	tables->table[tables->count].size = size;
	tables->count++;
}

static struct header make_header(const char *signature, uint8_t revision)
{
	struct header header = { .revision = revision, .oem_revision = 1, .creator_revision = 1 };

	memcpy(header.signature, signature, sizeof(header.signature));
	memcpy(header.oem_id, "HUTCH ", sizeof(header.oem_id));
	memcpy(header.oem_table_id, "HUTCHVM ", sizeof(header.oem_table_id));
	memcpy(header.creator_id, "HTCH", sizeof(header.creator_id));
	return header;
}

/* Puts bytes behind what the writer has written. */
static void put(struct writer *writer, const void *bytes, size_t size)
{
	memcpy(writer->ram + writer->gpa, bytes, size);
	writer->gpa += size;
}

/*
 * Closes the table that began at @gpa: fills its length and checksum in, and goes on
 * to the next multiple of 16. Returns its address.
 */
static uint64_t finish(struct writer *writer, uint64_t gpa)
{
	uint8_t *table = writer->ram + gpa;
	uint32_t length = (uint32_t)(writer->gpa - gpa);

	memcpy(table + offsetof(struct header, length), &length, sizeof(length));
	table[offsetof(struct header, checksum)] = 0;
	table[offsetof(struct header, checksum)] = checksum(table, length);
	note(writer->tables, (const char *)table, 4, gpa, length);
	writer->gpa = (writer->gpa + 15) & ~15ull;
	return gpa;
}

static void write_facs(struct writer *writer)
{
	struct facs facs = { .length = sizeof(facs), .version = 2 };

	memcpy(facs.signature, "FACS", sizeof(facs.signature));
	memcpy(writer->ram + MEMORY_FACS_GPA, &facs, sizeof(facs));
	note(writer->tables, "FACS", 4, MEMORY_FACS_GPA, sizeof(facs));
}

static uint64_t write_dsdt(struct writer *writer)
{
	uint64_t gpa = writer->gpa;

	put(writer, dsdt_aml_code, sizeof(dsdt_aml_code));
	return finish(writer, gpa);
}

static struct gas port(uint16_t address, uint8_t bytes, enum gas_access access)
{
	return (struct gas){
		.space = GAS_SYSTEM_IO,
		.bit_width = (uint8_t)(bytes * 8),
		.access_size = (uint8_t)access,
		.address = address,
	};
}

static uint64_t write_fadt(struct writer *writer, uint64_t dsdt)
{
	uint64_t gpa = writer->gpa;
	struct fadt fadt = {
		.header = make_header("FACP", 6),
		.minor_version = 4,
		.firmware_ctrl = (uint32_t)MEMORY_FACS_GPA, /* X_ stays 0: only one may be set */
		.dsdt = (uint32_t)dsdt,
		.x_dsdt = dsdt,
		/* Without SMI_CMD the machine is in ACPI mode from the start (4.8.2.1). */
		.sci_int = ACPI_SCI_GSI,
		.pm1a_evt_blk = ACPI_PM1A_EVT_PORT,
		.pm1_evt_len = ACPI_PM1A_EVT_SIZE,
		.x_pm1a_evt_blk = port(ACPI_PM1A_EVT_PORT, ACPI_PM1A_EVT_SIZE, GAS_WORD),
		.pm1a_cnt_blk = ACPI_PM1A_CNT_PORT,
		.pm1_cnt_len = ACPI_PM1A_CNT_SIZE,
		.x_pm1a_cnt_blk = port(ACPI_PM1A_CNT_PORT, ACPI_PM1A_CNT_SIZE, GAS_WORD),
		.pm_tmr_blk = ACPI_PM_TMR_PORT,
		.pm_tmr_len = ACPI_PM_TMR_SIZE,
		.x_pm_tmr_blk = port(ACPI_PM_TMR_PORT, ACPI_PM_TMR_SIZE, GAS_DWORD),
		.p_lvl2_lat = NO_C2_LATENCY,
		.p_lvl3_lat = NO_C3_LATENCY,
		.century = CMOS_CENTURY,
		.iapc_boot_arch = BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_VGA_NOT_PRESENT |
				  BOOT_MSI_NOT_SUPPORTED | BOOT_PCIE_ASPM_CONTROLS,
		.flags = FLAG_WBINVD | FLAG_PROC_C1 | FLAG_SLP_BUTTON | FLAG_FIX_RTC |
			 FLAG_TMR_VAL_EXT | FLAG_RESET_REG_SUP,
		.reset_reg = port(ACPI_RESET_PORT, 1, GAS_BYTE),
		.reset_value = ACPI_RESET_VALUE,
	};

	memcpy(fadt.hypervisor_vendor, "Hutch\0\0", sizeof(fadt.hypervisor_vendor));
	put(writer, &fadt, sizeof(fadt));
	return finish(writer, gpa);
}

static uint32_t apic_id(const struct acpi_machine *machine, unsigned int cpu)
{
	return machine->apic_ids ? machine->apic_ids[cpu] : cpu;
}

/* An entry names a processor by its number here, too, which is a byte in the short form. */
static bool is_x2apic(const struct acpi_machine *machine, unsigned int cpu)
{
	return apic_id(machine, cpu) >= LOCAL_APIC_ID_LIMIT || cpu >= LOCAL_APIC_ID_LIMIT;
}

static void put_processors(struct writer *writer, const struct acpi_machine *machine)
{
	bool any_x2apic = false;

	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		const struct madt_local_apic xapic = {
			.type = MADT_LOCAL_APIC,
			.length = sizeof(xapic),
			.processor_uid = (uint8_t)i,
			.apic_id = (uint8_t)apic_id(machine, i),
			.flags = MADT_ENABLED,
		};
		const struct madt_local_x2apic x2apic = {
			.type = MADT_LOCAL_X2APIC,
			.length = sizeof(x2apic),
			.apic_id = apic_id(machine, i),
			.flags = MADT_ENABLED,
			.processor_uid = i,
		};

		if (is_x2apic(machine, i)) {
			put(writer, &x2apic, sizeof(x2apic));
			any_x2apic = true;
		} else {
			put(writer, &xapic, sizeof(xapic));
		}
	}

	const struct madt_local_apic_nmi nmi = {
		.type = MADT_LOCAL_APIC_NMI,
		.length = sizeof(nmi),
		.processor_uid = UINT8_MAX,
		.flags = INTI_CONFORMS,
		.lint = 1,
	};
	const struct madt_local_x2apic_nmi x2apic_nmi = {
		.type = MADT_LOCAL_X2APIC_NMI,
		.length = sizeof(x2apic_nmi),
		.flags = INTI_CONFORMS,
		.processor_uid = UINT32_MAX,
		.lint = 1,
	};

	put(writer, &nmi, sizeof(nmi));
	if (any_x2apic)
		put(writer, &x2apic_nmi, sizeof(x2apic_nmi));
}

static uint64_t write_madt(struct writer *writer, const struct acpi_machine *machine)
{
	uint64_t gpa = writer->gpa;
	const struct madt madt = {
		.header = make_header("APIC", 5),
		.local_apic_address = (uint32_t)MEMORY_LAPIC_GPA,
		.flags = MADT_PCAT_COMPAT,
	};
	const struct madt_io_apic io_apic = {
		.type = MADT_IO_APIC,
		.length = sizeof(io_apic),
		.id = machine->ioapic_id,
		.address = (uint32_t)MEMORY_IOAPIC_GPA,
	};
	const struct madt_override overrides[] = {
		/* The PIT, on pin 2 since the 8259A's own output is on pin 0. */
		{ .source = 0, .gsi = 2, .flags = INTI_CONFORMS },
		{ .source = ACPI_SCI_GSI,
		  .gsi = ACPI_SCI_GSI,
		  .flags = INTI_ACTIVE_HIGH | INTI_LEVEL },
	};

	put(writer, &madt, sizeof(madt));
	put_processors(writer, machine);
	put(writer, &io_apic, sizeof(io_apic));
	for (size_t i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++) {
		struct madt_override override = overrides[i];

		override.type = MADT_INTERRUPT_SOURCE_OVERRIDE;
		override.length = sizeof(override);
		put(writer, &override, sizeof(override));
	}
	return finish(writer, gpa);
}

/* The RSDT or the XSDT: addresses of @size bytes each. */
static uint64_t write_root(struct writer *writer, const char *signature, size_t size,
			   const uint64_t *addresses, unsigned int count)
{
	uint64_t gpa = writer->gpa;
	struct header header = make_header(signature, 1);

	put(writer, &header, sizeof(header));
	for (unsigned int i = 0; i < count; i++)
		put(writer, &addresses[i], size); /* little endian: the low bytes come first */
	return finish(writer, gpa);
}

static void write_rsdp(struct writer *writer, uint64_t rsdt, uint64_t xsdt)
{
	struct rsdp rsdp = {
		.revision = 2,
		.rsdt = (uint32_t)rsdt,
		.length = sizeof(rsdp),
		.xsdt = xsdt,
	};

	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, "HUTCH ", sizeof(rsdp.oem_id));
	rsdp.checksum = checksum((const uint8_t *)&rsdp, RSDP_FIRST_LENGTH);
	rsdp.extended_checksum = checksum((const uint8_t *)&rsdp, sizeof(rsdp));
	memcpy(writer->ram + MEMORY_ACPI_GPA, &rsdp, sizeof(rsdp));

	writer->tables->rsdp_gpa = MEMORY_ACPI_GPA;
	writer->tables->rsdp = writer->ram + MEMORY_ACPI_GPA;
	writer->tables->rsdp_size = sizeof(rsdp);
	note(writer->tables, "RSDP", 4, MEMORY_ACPI_GPA, sizeof(rsdp));
}

/* An upper bound of all tables together: of what varies, the longest form of each entry. */
static uint64_t space_needed(unsigned int cpu_count)
{
	return 4096 + sizeof(dsdt_aml_code) +
	       (uint64_t)cpu_count * sizeof(struct madt_local_x2apic);
}

int acpi_build(const struct acpi_machine *machine, uint8_t *ram, struct acpi_tables *tables)
{
	struct writer writer = {
		.ram = ram,
		.gpa = MEMORY_ACPI_GPA + 64, /* behind the RSDP */
		.tables = tables,
	};

	memset(tables, 0, sizeof(*tables));
	if (space_needed(machine->cpu_count) > MEMORY_MP_TABLE_GPA - MEMORY_ACPI_GPA)
		return -ENOSPC;

	write_facs(&writer);
	uint64_t dsdt = write_dsdt(&writer);
	uint64_t fadt = write_fadt(&writer, dsdt);
	uint64_t madt = write_madt(&writer, machine);
	const uint64_t addresses[] = { fadt, madt };
	uint64_t rsdt = write_root(&writer, "RSDT", sizeof(uint32_t), addresses, 2);
	uint64_t xsdt = write_root(&writer, "XSDT", sizeof(uint64_t), addresses, 2);
	write_rsdp(&writer, rsdt, xsdt);
	return 0;
}
