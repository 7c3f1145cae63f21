/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/fw_cfg.h"

/*
 * The firmware configuration device as QEMU's specification has it, by port and by DMA.
 */

#define MEMORY_SIZE 0x2000
#define DESCRIPTOR  0x100

struct bench {
	struct fw_cfg fw_cfg;
	uint8_t memory[MEMORY_SIZE];
	uint64_t written; /* bytes, by DMA */
};

static bool is_memory(uint64_t gpa, size_t size)
{
	assert_true(size <= UINT64_MAX - gpa);
	return gpa < MEMORY_SIZE && size <= MEMORY_SIZE - gpa;
}

static bool on_read(void *owner, uint64_t gpa, void *buffer, size_t size)
{
	struct bench *bench = owner;

	if (!is_memory(gpa, size))
		return false;
	memcpy(buffer, bench->memory + gpa, size);
	return true;
}

static bool on_write(void *owner, uint64_t gpa, const void *buffer, size_t size)
{
	struct bench *bench = owner;

	bench->written += size;
	if (!is_memory(gpa, size))
		return false;
	memcpy(bench->memory + gpa, buffer, size);
	return true;
}

static const uint8_t file[] = { 1, 2, 3, 4, 5 };

static void make(struct bench *bench)
{
	struct fw_cfg_wiring wiring = { .memory_read = on_read,
					.memory_write = on_write,
					.owner = bench };

	*bench = (struct bench){ 0 };
	fw_cfg_init(&bench->fw_cfg, &wiring);
	assert_true(fw_cfg_add_number(&bench->fw_cfg, FW_CFG_CPU_COUNT, 0x1234, 2));
	assert_true(fw_cfg_add_item(&bench->fw_cfg, FW_CFG_ARCH_LOCAL + 3, "local", 5));
	assert_true(fw_cfg_add_file(&bench->fw_cfg, "etc/first", file, sizeof(file)));
	assert_true(fw_cfg_add_file(&bench->fw_cfg, "etc/second", "xyz", 3));
}

static void select_key(struct bench *bench, uint16_t key)
{
	fw_cfg_write(&bench->fw_cfg, FW_CFG_SELECTOR, 2, key);
}

static uint8_t next(struct bench *bench)
{
	return (uint8_t)fw_cfg_read(&bench->fw_cfg, FW_CFG_DATA, 1);
}

static void put_big_endian(uint8_t *bytes, unsigned int size, uint64_t value)
{
	while (size--) {
		bytes[size] = (uint8_t)value;
		value >>= 8;
	}
}

static uint32_t big_endian(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

/* Runs a descriptor at DESCRIPTOR and returns its control word afterwards. */
static uint32_t dma(struct bench *bench, uint32_t control, uint32_t length, uint64_t address)
{
	uint8_t *descriptor = bench->memory + DESCRIPTOR, low[4];

	put_big_endian(descriptor, 4, control);
	put_big_endian(descriptor + 4, 4, length);
	put_big_endian(descriptor + 8, 8, address);
	put_big_endian(low, 4, DESCRIPTOR);
	fw_cfg_write(&bench->fw_cfg, FW_CFG_DMA_LOW, 4,
		     low[0] | low[1] << 8 | low[2] << 16 | (uint32_t)low[3] << 24);
	return big_endian(descriptor);
}

static void signature_and_features(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	select_key(&bench, FW_CFG_SIGNATURE);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(next(&bench), "QEMU"[i]);
	select_key(&bench, FW_CFG_ID);
	assert_int_equal(next(&bench), FW_CFG_ID_TRADITIONAL | FW_CFG_ID_DMA);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(next(&bench), 0);
	assert_int_equal(fw_cfg_read(&bench.fw_cfg, FW_CFG_DMA_HIGH, 4), 0x554d4551);
	assert_int_equal(fw_cfg_read(&bench.fw_cfg, FW_CFG_DMA_LOW, 4), 0x47464320);
	assert_int_equal(fw_cfg_read(&bench.fw_cfg, FW_CFG_DMA_HIGH + 3, 1), 'U');
}

static void items_by_port(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	select_key(&bench, FW_CFG_CPU_COUNT);
	assert_int_equal(next(&bench), 0x34);
	assert_int_equal(next(&bench), 0x12);
	assert_int_equal(next(&bench), 0x00); /* beyond the end */
	select_key(&bench, FW_CFG_ARCH_LOCAL + 3);
	assert_int_equal(next(&bench), 'l');
	select_key(&bench, FW_CFG_FILE_FIRST + 1);
	assert_int_equal(next(&bench), 'x');
	select_key(&bench, FW_CFG_FILE_FIRST + 1); /* from the front again */
	assert_int_equal(next(&bench), 'x');
	select_key(&bench, 0x4000 | FW_CFG_CPU_COUNT); /* the old write channel */
	assert_int_equal(next(&bench), 0x34);
	select_key(&bench, 0x1fff); /* no such item */
	assert_int_equal(next(&bench), 0);
	select_key(&bench, FW_CFG_FILE_FIRST + 2);
	assert_int_equal(next(&bench), 0);
	/* Only 16 bits select; the data port cannot be written. */
	select_key(&bench, FW_CFG_FILE_FIRST);
	fw_cfg_write(&bench.fw_cfg, FW_CFG_SELECTOR, 1, 0);
	fw_cfg_write(&bench.fw_cfg, FW_CFG_DATA, 1, 0xff);
	assert_int_equal(next(&bench), 1);
	assert_int_equal(next(&bench), 2);
	fw_cfg_reset(&bench.fw_cfg);
	assert_int_equal(next(&bench), 'Q');
}

static void expect_entry(struct bench *bench, uint32_t size, uint16_t key, const char *name)
{
	uint8_t entry[64];

	for (unsigned int i = 0; i < sizeof(entry); i++)
		entry[i] = next(bench);
	assert_int_equal(big_endian(entry), size);
	assert_int_equal(big_endian(entry + 4), (uint32_t)key << 16);
	assert_string_equal((char *)entry + 8, name);
	for (size_t i = 8 + strlen(name); i < sizeof(entry); i++)
		assert_int_equal(entry[i], 0);
}

static void directory(void **state)
{
	struct bench bench;
	uint8_t by_port[4 + 3 * 64];

	(void)state;
	make(&bench);
	select_key(&bench, FW_CFG_FILE_DIR);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(next(&bench), 0);
	assert_int_equal(next(&bench), 2);
	expect_entry(&bench, 5, 0x20, "etc/first");
	expect_entry(&bench, 3, 0x21, "etc/second");
	assert_int_equal(next(&bench), 0);
	/* The same by DMA, in one piece and beyond its end. */
	select_key(&bench, FW_CFG_FILE_DIR);
	for (unsigned int i = 0; i < sizeof(by_port); i++)
		by_port[i] = next(&bench);
	memset(bench.memory + 0x1000, 0xaa, 0x400);
	assert_int_equal(dma(&bench, FW_CFG_FILE_DIR << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ,
			     sizeof(by_port), 0x1000),
			 0);
	assert_memory_equal(bench.memory + 0x1000, by_port, sizeof(by_port));
	assert_int_equal(bench.memory[0x1000 + sizeof(by_port)], 0xaa);
}

static void dma_reads_and_skips(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	memset(bench.memory + 0x1000, 0xaa, 16);
	assert_int_equal(dma(&bench, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 2, 0x1000),
			 0);
	assert_memory_equal(bench.memory + 0x1000, "\1\2\xaa", 3);
	assert_int_equal(dma(&bench, FW_CFG_DMA_SKIP, 1, 0), 0);
	/* The rest of the item, then zeroes. */
	assert_int_equal(dma(&bench, FW_CFG_DMA_READ, 4, 0x1004), 0);
	assert_memory_equal(bench.memory + 0x1004, "\4\5\0\0\xaa", 5);
	/* Skipping beyond the end stays at the end. */
	assert_int_equal(
		dma(&bench, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(dma(&bench, FW_CFG_DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(next(&bench), 0);
	assert_int_equal(dma(&bench, 0x21 << 16 | FW_CFG_DMA_SELECT, 9, 0), 0);
	assert_int_equal(next(&bench), 'x');
	/* A number. */
	assert_int_equal(dma(&bench, FW_CFG_CPU_COUNT << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ,
			     2, 0x1010),
			 0);
	assert_memory_equal(bench.memory + 0x1010, "\x34\x12", 2);
}

static void dma_errors(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	/* Items are read-only; read wins over write. */
	assert_int_equal(dma(&bench, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_WRITE, 1, 0x1000),
			 FW_CFG_DMA_ERROR);
	assert_int_equal(dma(&bench, FW_CFG_DMA_WRITE | FW_CFG_DMA_READ, 1, 0x1000), 0);
	/* Memory that is not there, begins or ends outside, or wraps. */
	assert_int_equal(
		dma(&bench, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 5, MEMORY_SIZE),
		FW_CFG_DMA_ERROR);
	assert_int_equal(dma(&bench, FW_CFG_DMA_READ, 5, MEMORY_SIZE - 4), FW_CFG_DMA_ERROR);
	assert_int_equal(dma(&bench, FW_CFG_DMA_READ, 5, UINT64_MAX - 2), FW_CFG_DMA_ERROR);
	assert_int_equal(dma(&bench, FW_CFG_DMA_READ, 5, MEMORY_SIZE - 5), 0);
	assert_memory_equal(bench.memory + MEMORY_SIZE - 5, file, 5);
	assert_int_equal(dma(&bench, FW_CFG_FILE_DIR << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ,
			     100, MEMORY_SIZE - 64),
			 FW_CFG_DMA_ERROR);
}

static void dma_does_not_run_on(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_int_equal(
		dma(&bench, 0x20 << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, UINT32_MAX, 0),
		FW_CFG_DMA_ERROR);
	assert_true(bench.written < 2 * FW_CFG_ZERO_MAX);
}

/* A descriptor where there is no memory: nothing happens, and the address is taken. */
static void descriptor_outside_memory(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	fw_cfg_write(&bench.fw_cfg, FW_CFG_DMA_HIGH, 4, 0xffffffff);
	fw_cfg_write(&bench.fw_cfg, FW_CFG_DMA_LOW, 4, 0xffffffff);
	fw_cfg_write(&bench.fw_cfg, FW_CFG_DMA_HIGH, 4, 0x01000000);
	fw_cfg_write(&bench.fw_cfg, FW_CFG_DMA_LOW, 4, 0);
	assert_int_equal(bench.written, 0);
	assert_int_equal(bench.fw_cfg.dma_address, 0);
	/* Smaller writes to the address do nothing. */
	fw_cfg_write(&bench.fw_cfg, FW_CFG_DMA_LOW, 2, 0x0001);
	assert_int_equal(bench.written, 0);
}

static void without_memory_no_dma(void **state)
{
	static const struct fw_cfg_wiring nothing;
	struct fw_cfg fw_cfg;

	(void)state;
	fw_cfg_init(&fw_cfg, &nothing);
	fw_cfg_write(&fw_cfg, FW_CFG_SELECTOR, 2, FW_CFG_ID);
	assert_int_equal(fw_cfg_read(&fw_cfg, FW_CFG_DATA, 1), FW_CFG_ID_TRADITIONAL);
	assert_int_equal(fw_cfg_read(&fw_cfg, FW_CFG_DMA_HIGH, 4), 0xffffffff);
	fw_cfg_write(&fw_cfg, FW_CFG_DMA_LOW, 4, 0);
}

static void what_cannot_be_added(void **state)
{
	static const char long_name[] = "a/name/of/exactly/fifty-six/bytes/without/its/zero/byte!";
	struct bench bench;
	char names[FW_CFG_FILES_MAX][4];

	(void)state;
	make(&bench);
	assert_int_equal(strlen(long_name), FW_CFG_NAME_SIZE);
	assert_false(fw_cfg_add_file(&bench.fw_cfg, long_name, file, 1));
	assert_true(fw_cfg_add_file(&bench.fw_cfg, long_name + 1, file, 1));
	assert_false(fw_cfg_add_file(&bench.fw_cfg, "", file, 1));
	assert_false(fw_cfg_add_file(&bench.fw_cfg, "etc/first", file, 1));
	assert_true(fw_cfg_add_file(&bench.fw_cfg, "etc/firs", file, 1));
	assert_false(fw_cfg_add_number(&bench.fw_cfg, FW_CFG_CPU_COUNT, 1, 2));
	assert_false(fw_cfg_add_number(&bench.fw_cfg, FW_CFG_CPU_MAX, 1, 9));
	assert_false(fw_cfg_add_number(&bench.fw_cfg, FW_CFG_SIGNATURE, 1, 2));
	assert_false(fw_cfg_add_item(&bench.fw_cfg, FW_CFG_FILE_DIR, file, 1));
	assert_false(fw_cfg_add_item(&bench.fw_cfg, FW_CFG_FILE_FIRST + 9, file, 1));
	assert_false(fw_cfg_add_item(&bench.fw_cfg, 0x4002, file, 1));
	assert_false(fw_cfg_add_item(&bench.fw_cfg, 0xc002, file, 1));
	for (unsigned int i = 0; i < FW_CFG_FILES_MAX; i++) {
		memcpy(names[i], "f00", 4);
		names[i][1] = (char)('a' + i / 10);
		names[i][2] = (char)('a' + i % 10);
		assert_int_equal(fw_cfg_add_file(&bench.fw_cfg, names[i], file, 1),
				 i < FW_CFG_FILES_MAX - 4);
	}
	for (unsigned int i = 0; i < FW_CFG_ITEMS_MAX; i++)
		assert_int_equal(fw_cfg_add_number(&bench.fw_cfg, (uint16_t)(0x9000 + i), i, 1),
				 i < FW_CFG_ITEMS_MAX - 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signature_and_features),
		cmocka_unit_test(items_by_port),
		cmocka_unit_test(directory),
		cmocka_unit_test(dma_reads_and_skips),
		cmocka_unit_test(dma_errors),
		cmocka_unit_test(dma_does_not_run_on),
		cmocka_unit_test(descriptor_outside_memory),
		cmocka_unit_test(without_memory_no_dma),
		cmocka_unit_test(what_cannot_be_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
