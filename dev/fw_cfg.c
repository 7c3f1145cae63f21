/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/fw_cfg.h"

/*
 * One item is selected at a time and read from its front, byte by byte through a port
 * or in one piece by DMA. The directory of files is an item too, but one that is
 * written nowhere: its bytes are worked out as they are read.
 */

#define DIRECTORY_HEADER_SIZE 4
#define DIRECTORY_ENTRY_SIZE  64
#define DIRECTORY_NAME_OFFSET 8
#define WRITE_CHANNEL	      0x4000 /* a selector bit that no longer means anything */

static const uint8_t dma_signature[8] = { 'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G' };

/* ---- items ------------------------------------------------------------------------- */

static const struct fw_cfg_item *find_item(const struct fw_cfg *fw_cfg, uint16_t key)
{
	unsigned int file = key - FW_CFG_FILE_FIRST;

	if (key >= FW_CFG_FILE_FIRST && file < fw_cfg->file_count)
		return &fw_cfg->files[file];
	for (unsigned int i = 0; i < fw_cfg->item_count; i++)
		if (fw_cfg->items[i].key == key)
			return &fw_cfg->items[i];
	return NULL;
}

static struct fw_cfg_item *new_item(struct fw_cfg *fw_cfg, uint16_t key)
{
	struct fw_cfg_item *item;

	if (fw_cfg->item_count == FW_CFG_ITEMS_MAX || find_item(fw_cfg, key) ||
	    key == FW_CFG_FILE_DIR || (key & WRITE_CHANNEL) ||
	    (key >= FW_CFG_FILE_FIRST && key < FW_CFG_ARCH_LOCAL))
		return NULL;
	item = &fw_cfg->items[fw_cfg->item_count++];
	*item = (struct fw_cfg_item){ .key = key };
	return item;
}

bool fw_cfg_add_number(struct fw_cfg *fw_cfg, uint16_t key, uint64_t value, uint32_t size)
{
	struct fw_cfg_item *item = size <= sizeof(item->number) ? new_item(fw_cfg, key) : NULL;

	if (!item)
		return false;
	item->size = size;
	for (unsigned int i = 0; i < size; i++)
		item->number[i] = (uint8_t)(value >> (8 * i));
	return true;
}

bool fw_cfg_add_item(struct fw_cfg *fw_cfg, uint16_t key, const void *bytes, uint32_t size)
{
	struct fw_cfg_item *item = bytes ? new_item(fw_cfg, key) : NULL;

	if (!item)
		return false;
	item->bytes = bytes;
	item->size = size;
	return true;
}

static bool same_name(const struct fw_cfg_item *file, const char *name)
{
	unsigned int i = 0;

	while (i < file->name_length && file->name[i] == name[i])
		i++;
	return i == file->name_length && !name[i];
}

bool fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *bytes, uint32_t size)
{
	uint8_t length = 0;

	while (length < FW_CFG_NAME_SIZE && name[length])
		length++;
	if (!bytes || !length || length == FW_CFG_NAME_SIZE ||
	    fw_cfg->file_count == FW_CFG_FILES_MAX)
		return false;
	for (unsigned int i = 0; i < fw_cfg->file_count; i++)
		if (same_name(&fw_cfg->files[i], name))
			return false;
	fw_cfg->files[fw_cfg->file_count] = (struct fw_cfg_item){
		.bytes = bytes,
		.name = name,
		.size = size,
		.key = (uint16_t)(FW_CFG_FILE_FIRST + fw_cfg->file_count),
		.name_length = length,
	};
	fw_cfg->file_count++;
	return true;
}

/* ---- the bytes of the selected one ------------------------------------------------------ */

static uint8_t big_endian_byte(uint32_t value, unsigned int size, unsigned int index)
{
	return (uint8_t)(value >> (8 * (size - 1 - index)));
}

/* A count, then an entry for each file: size, key, two bytes of 0, name. */
static uint8_t directory_byte(const struct fw_cfg *fw_cfg, uint32_t offset)
{
	uint32_t field = (offset - DIRECTORY_HEADER_SIZE) % DIRECTORY_ENTRY_SIZE;
	const struct fw_cfg_item *file;

	if (offset < DIRECTORY_HEADER_SIZE)
		return big_endian_byte(fw_cfg->file_count, 4, offset);
	file = &fw_cfg->files[(offset - DIRECTORY_HEADER_SIZE) / DIRECTORY_ENTRY_SIZE];
	if (field < 4)
		return big_endian_byte(file->size, 4, field);
	if (field < 6)
		return big_endian_byte(file->key, 2, field - 4);
	if (field < DIRECTORY_NAME_OFFSET)
		return 0;
	field -= DIRECTORY_NAME_OFFSET;
	return field < file->name_length ? (uint8_t)file->name[field] : 0;
}

static uint32_t selected_size(const struct fw_cfg *fw_cfg)
{
	const struct fw_cfg_item *item;

	if (fw_cfg->selected == FW_CFG_FILE_DIR)
		return DIRECTORY_HEADER_SIZE + fw_cfg->file_count * DIRECTORY_ENTRY_SIZE;
	item = find_item(fw_cfg, fw_cfg->selected);
	return item ? item->size : 0;
}

static uint32_t remaining(const struct fw_cfg *fw_cfg)
{
	uint32_t size = selected_size(fw_cfg);

	return fw_cfg->offset < size ? size - fw_cfg->offset : 0;
}

/* The selected item's bytes in memory, or NULL for the directory. */
static const uint8_t *selected_bytes(const struct fw_cfg *fw_cfg)
{
	const struct fw_cfg_item *item = find_item(fw_cfg, fw_cfg->selected);

	if (!item)
		return NULL;
	return item->bytes ? item->bytes : item->number;
}

static uint8_t next_byte(struct fw_cfg *fw_cfg)
{
	const uint8_t *bytes = selected_bytes(fw_cfg);
	uint32_t offset = fw_cfg->offset;

	if (!remaining(fw_cfg))
		return 0;
	fw_cfg->offset++;
	return bytes ? bytes[offset] : directory_byte(fw_cfg, offset);
}

static void select_item(struct fw_cfg *fw_cfg, uint16_t key)
{
	fw_cfg->selected = key & (uint16_t)~WRITE_CHANNEL;
	fw_cfg->offset = 0;
}

/* ---- DMA ------------------------------------------------------------------------------ */

static bool has_dma(const struct fw_cfg *fw_cfg)
{
	return fw_cfg->wiring.memory_read && fw_cfg->wiring.memory_write;
}

/* [@gpa, @gpa + @size) does not wrap. */
static bool is_span(uint64_t gpa, uint64_t size)
{
	return size <= UINT64_MAX - gpa;
}

static bool put(struct fw_cfg *fw_cfg, uint64_t gpa, const void *bytes, size_t size)
{
	return fw_cfg->wiring.memory_write(fw_cfg->wiring.owner, gpa, bytes, size);
}

static bool put_directory(struct fw_cfg *fw_cfg, uint64_t gpa, uint32_t size)
{
	uint8_t buffer[DIRECTORY_ENTRY_SIZE];

	while (size) {
		uint32_t part = size < sizeof(buffer) ? size : sizeof(buffer);

		for (uint32_t i = 0; i < part; i++)
			buffer[i] = next_byte(fw_cfg);
		if (!put(fw_cfg, gpa, buffer, part))
			return false;
		gpa += part;
		size -= part;
	}
	return true;
}

static bool put_zeroes(struct fw_cfg *fw_cfg, uint64_t gpa, uint32_t size)
{
	static const uint8_t zeroes[4096];

	if (size > FW_CFG_ZERO_MAX)
		return false;
	while (size) {
		uint32_t part = size < sizeof(zeroes) ? size : sizeof(zeroes);

		if (!put(fw_cfg, gpa, zeroes, part))
			return false;
		gpa += part;
		size -= part;
	}
	return true;
}

static bool dma_read(struct fw_cfg *fw_cfg, uint64_t gpa, uint32_t length)
{
	const uint8_t *bytes = selected_bytes(fw_cfg);
	uint32_t part = remaining(fw_cfg);

	if (part > length)
		part = length;
	if (!is_span(gpa, length))
		return false;
	if (part && !bytes && !put_directory(fw_cfg, gpa, part))
		return false;
	if (part && bytes) {
		if (!put(fw_cfg, gpa, bytes + fw_cfg->offset, part))
			return false;
		fw_cfg->offset += part;
	}
	return put_zeroes(fw_cfg, gpa + part, length - part);
}

static void skip(struct fw_cfg *fw_cfg, uint32_t length)
{
	uint32_t rest = remaining(fw_cfg);

	fw_cfg->offset += length < rest ? length : rest;
}

static uint64_t big_endian(const uint8_t *bytes, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Does what the descriptor at @gpa says and clears its control word, but for the error bit. */
static void run_dma(struct fw_cfg *fw_cfg, uint64_t gpa)
{
	uint8_t descriptor[FW_CFG_DMA_DESCRIPTOR_SIZE] = { 0 }, result[4] = { 0 };
	uint32_t control, length;
	bool done = true;

	/* Where there is no memory there is nobody to tell either. */
	if (!is_span(gpa, sizeof(descriptor)) ||
	    !fw_cfg->wiring.memory_read(fw_cfg->wiring.owner, gpa, descriptor, sizeof(descriptor)))
		return;
	control = (uint32_t)big_endian(descriptor, 4);
	length = (uint32_t)big_endian(descriptor + 4, 4);
	if (control & FW_CFG_DMA_SELECT)
		select_item(fw_cfg, (uint16_t)(control >> 16));
	if (control & FW_CFG_DMA_READ)
		done = dma_read(fw_cfg, big_endian(descriptor + 8, 8), length);
	else if (control & FW_CFG_DMA_WRITE)
		done = false;
	else if (control & FW_CFG_DMA_SKIP)
		skip(fw_cfg, length);
	result[3] = done ? 0 : FW_CFG_DMA_ERROR;
	put(fw_cfg, gpa, result, sizeof(result));
}

/* ---- ports ------------------------------------------------------------------------------ */

static uint8_t read_byte(struct fw_cfg *fw_cfg, unsigned int offset)
{
	if (offset == FW_CFG_DATA)
		return next_byte(fw_cfg);
	if (offset >= FW_CFG_DMA_HIGH && offset < FW_CFG_PORT_COUNT && has_dma(fw_cfg))
		return dma_signature[offset - FW_CFG_DMA_HIGH];
	return 0xff;
}

uint32_t fw_cfg_read(struct fw_cfg *fw_cfg, unsigned int offset, unsigned int size)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < size && i < 4; i++)
		value |= (uint32_t)read_byte(fw_cfg, offset + i) << (8 * i);
	return value;
}

static uint32_t swap_bytes(uint32_t value)
{
	return value >> 24 | (value >> 8 & 0xff00) | (value << 8 & 0xff0000) | value << 24;
}

void fw_cfg_write(struct fw_cfg *fw_cfg, unsigned int offset, unsigned int size, uint32_t value)
{
	uint64_t gpa;

	if (offset == FW_CFG_SELECTOR && size == 2)
		select_item(fw_cfg, (uint16_t)value);
	if (size != 4 || !has_dma(fw_cfg))
		return;
	if (offset == FW_CFG_DMA_HIGH)
		fw_cfg->dma_address = (uint64_t)swap_bytes(value) << 32;
	if (offset == FW_CFG_DMA_LOW) {
		gpa = fw_cfg->dma_address | swap_bytes(value);
		fw_cfg->dma_address = 0;
		run_dma(fw_cfg, gpa);
	}
}

void fw_cfg_reset(struct fw_cfg *fw_cfg)
{
	select_item(fw_cfg, FW_CFG_SIGNATURE);
	fw_cfg->dma_address = 0;
}

void fw_cfg_init(struct fw_cfg *fw_cfg, const struct fw_cfg_wiring *wiring)
{
	uint32_t features = FW_CFG_ID_TRADITIONAL;

	*fw_cfg = (struct fw_cfg){ .wiring = *wiring };
	if (has_dma(fw_cfg))
		features |= FW_CFG_ID_DMA;
	fw_cfg_reset(fw_cfg);
	fw_cfg_add_item(fw_cfg, FW_CFG_SIGNATURE, "QEMU", 4);
	fw_cfg_add_number(fw_cfg, FW_CFG_ID, features, 4);
}
