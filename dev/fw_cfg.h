/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_FW_CFG_H
#define HUTCH_DEV_FW_CFG_H

/*
 * QEMU's firmware configuration device (QEMU, docs/specs/fw_cfg): a row of byte
 * strings, some with numbers for names and some with file names, that firmware such as
 * SeaBIOS reads to learn what machine it is in.
 *
 * To wire it: give fw_cfg_init() the guest's memory, tell it what there is by
 * fw_cfg_add_number(), fw_cfg_add_item() and fw_cfg_add_file(), and send the twelve
 * ports from 0x510 on to fw_cfg_read() and fw_cfg_write(), whole, for the selector is
 * 16 bits wide and the DMA address two times 32. There is nothing to tick. What is
 * added is not copied: bytes and names stay the owner's and outlive the device.
 *
 *	0	selector, 16 bits, written: which item, from its first byte
 *	1	data, read: its next byte, and 0 after the last
 *	4	DMA address, high then low half, big-endian: writing the low half does
 *		what the descriptor in memory at that address says
 *
 * DMA touches memory only by the two accessors, which refuse whatever is not the
 * guest's RAM. A transfer beyond an item's end is filled with zeroes, up to
 * FW_CFG_ZERO_MAX; more is an error, so that no guest keeps the host busy with nothing.
 * Every item is read-only. Without accessors there is no DMA, and the device says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_CFG_PORT	  0x510
#define FW_CFG_PORT_COUNT 12

/* Offsets. */
#define FW_CFG_SELECTOR 0
#define FW_CFG_DATA	1
#define FW_CFG_DMA_HIGH 4
#define FW_CFG_DMA_LOW	8

/* Keys that the device itself answers, and some that an x86 machine gives. */
#define FW_CFG_SIGNATURE      0x00
#define FW_CFG_ID	      0x01
#define FW_CFG_RAM_SIZE	      0x03 /* 64 bits */
#define FW_CFG_NOGRAPHIC      0x04 /* 16 bits: 1 for a machine with a serial console */
#define FW_CFG_CPU_COUNT      0x05 /* 16 bits */
#define FW_CFG_BOOT_MENU      0x0e /* 16 bits */
#define FW_CFG_CPU_MAX	      0x0f /* 16 bits: one more than the highest APIC id */
#define FW_CFG_FILE_DIR	      0x19
#define FW_CFG_FILE_FIRST     0x20
#define FW_CFG_FILE_LIMIT     0x4000
#define FW_CFG_ARCH_LOCAL     0x8000

#define FW_CFG_ID_TRADITIONAL 0x01
#define FW_CFG_ID_DMA	      0x02

/* A DMA descriptor: control, length, 64-bit address; all big-endian. */
#define FW_CFG_DMA_DESCRIPTOR_SIZE 16
#define FW_CFG_DMA_ERROR	   0x01
#define FW_CFG_DMA_READ		   0x02
#define FW_CFG_DMA_SKIP		   0x04
#define FW_CFG_DMA_SELECT	   0x08
#define FW_CFG_DMA_WRITE	   0x10
#define FW_CFG_ZERO_MAX		   0x100000

#define FW_CFG_ITEMS_MAX	   16
#define FW_CFG_FILES_MAX	   32
#define FW_CFG_NAME_SIZE	   56 /* with its zero byte */

/*
 * The guest's memory. Each copies @size bytes and returns true, or returns false when
 * any of them is not RAM; @gpa + @size does not wrap. Both NULL: no DMA.
 */
struct fw_cfg_wiring {
	bool (*memory_read)(void *owner, uint64_t gpa, void *buffer, size_t size);
	bool (*memory_write)(void *owner, uint64_t gpa, const void *buffer, size_t size);
	void *owner;
};

struct fw_cfg_item {
	const uint8_t *bytes; /* NULL: @number */
	const char *name;     /* of a file */
	uint32_t size;
	uint16_t key;
	uint8_t name_length;
	uint8_t number[8]; /* little-endian */
};

struct fw_cfg {
	struct fw_cfg_wiring wiring;
	struct fw_cfg_item items[FW_CFG_ITEMS_MAX];
	struct fw_cfg_item files[FW_CFG_FILES_MAX];
	unsigned int item_count, file_count;
	uint16_t selected; /* key */
	uint32_t offset;   /* of the next byte */
	uint64_t dma_address;
};

void fw_cfg_init(struct fw_cfg *fw_cfg, const struct fw_cfg_wiring *wiring);

/* Nothing is selected any more; what was added stays. */
void fw_cfg_reset(struct fw_cfg *fw_cfg);

/*
 * Add an item: a little-endian number of @size (up to 8) bytes, bytes under a key
 * (below FW_CFG_FILE_FIRST or from FW_CFG_ARCH_LOCAL on), or a file. False, and nothing
 * added, when there is no room, the key or name is taken, or the name is empty or
 * longer than 55 bytes.
 */
bool fw_cfg_add_number(struct fw_cfg *fw_cfg, uint16_t key, uint64_t value, uint32_t size);
bool fw_cfg_add_item(struct fw_cfg *fw_cfg, uint16_t key, const void *bytes, uint32_t size);
bool fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *bytes, uint32_t size);

/* @size bytes (1, 2 or 4) at @offset. */
uint32_t fw_cfg_read(struct fw_cfg *fw_cfg, unsigned int offset, unsigned int size);
void fw_cfg_write(struct fw_cfg *fw_cfg, unsigned int offset, unsigned int size, uint32_t value);

#endif
