/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The bzImage loader: an image is built field by field as
 * Documentation/arch/x86/boot.rst lays it out, loaded, and then broken field by field.
 */

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/boot_fixture.h"

#define SETUP_SECTS   4
#define KERNEL_OFFSET ((SETUP_SECTS + 1) * 512)
#define KERNEL_SIZE   0x3000u
#define PREF_ADDRESS  0x1000000u
#define INIT_SIZE     0x800000u
#define ZERO_PAGE     BOOT_PARAMETERS_GPA

static void build(struct fixture *f)
{
	fixture_set(f, 0, 2, 0x5a4d);
	fixture_set(f, 0x1f1, 1, SETUP_SECTS);
	fixture_set(f, 0x1f4, 4, KERNEL_SIZE / 16);
	fixture_set(f, 0x1fe, 2, 0xaa55);
	fixture_set(f, 0x200, 2, 0x6aeb); /* jmp to 0x26c: where the header ends */
	fixture_set(f, 0x202, 4, 0x53726448);
	fixture_set(f, 0x206, 2, 0x020f);
	fixture_set(f, 0x211, 1, 1);
	fixture_set(f, 0x214, 4, 0x100000);
	fixture_set(f, 0x22c, 4, 0x7fffffff);
	fixture_set(f, 0x230, 4, 0x200000);
	fixture_set(f, 0x234, 1, 1);
	fixture_set(f, 0x235, 1, 21);
	fixture_set(f, 0x236, 2, 0x7f);
	fixture_set(f, 0x238, 4, 2047);
	fixture_set(f, 0x250, 8, 0x1234);
	fixture_set(f, 0x258, 8, PREF_ADDRESS);
	fixture_set(f, 0x260, 4, INIT_SIZE);
	fixture_set(f, 0x1ef, 1, 0xff); /* the sentinel, which must not be copied */
	memset(f->image + KERNEL_OFFSET, 0x90, KERNEL_SIZE);
	fixture_set(f, KERNEL_OFFSET + 0x200, 4, 0xfeedface);
	f->kernel.size = KERNEL_OFFSET + KERNEL_SIZE;
}

static void test_state_and_memory(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "Linux 64-bit");
	assert_int_equal(f.context.kernel_gpa, PREF_ADDRESS);
	assert_int_equal(f.context.kernel_end_gpa, PREF_ADDRESS + INIT_SIZE);
	assert_int_equal(f.context.regs.rip, PREF_ADDRESS + 0x200);
	assert_int_equal(f.context.regs.rsi, ZERO_PAGE);
	assert_int_equal(fixture_ram(&f, PREF_ADDRESS + 0x200, 4), 0xfeedface);
	assert_memory_equal(f.context.ram + PREF_ADDRESS, f.image + KERNEL_OFFSET, KERNEL_SIZE);
	/* Not a byte more than the kernel is written. */
	assert_int_equal(fixture_ram(&f, PREF_ADDRESS + KERNEL_SIZE, 1), 0xaa);
	assert_int_equal(fixture_ram(&f, PREF_ADDRESS - 1, 1), 0xaa);
	fixture_is_long_mode(&f);
	fixture_free(&f);
}

static void test_zero_page(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_load(&f);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x1ef, 1), 0); /* sentinel */
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x202, 4), 0x53726448);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x206, 2), 0x020f);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x210, 1), 0xff); /* type_of_loader */
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x211, 1), 0x81); /* loadflags */
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x214, 4), PREF_ADDRESS);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x218, 8), 0); /* no initrd */
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x224, 2), 0xde00);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x228, 4), BOOT_COMMAND_LINE_GPA);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x230, 4), 0x200000);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x250, 8), 0); /* setup_data */
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x070, 8), FIXTURE_RSDP);
	assert_string_equal((char *)f.context.ram + BOOT_COMMAND_LINE_GPA, "console=ttyS0 quiet");
	for (unsigned int i = 0; i < 0x40; i++)
		assert_int_equal(fixture_ram(&f, ZERO_PAGE + i, 1), 0); /* screen_info */

	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x1e8, 1), f.map.count);
	for (unsigned int i = 0; i < f.map.count; i++) {
		const uint64_t entry = ZERO_PAGE + 0x2d0 + i * 20;

		assert_int_equal(fixture_ram(&f, entry, 8), f.map.ranges[i].gpa);
		assert_int_equal(fixture_ram(&f, entry + 8, 8), f.map.ranges[i].size);
		assert_int_equal(fixture_ram(&f, entry + 16, 4), f.map.ranges[i].type);
	}
	fixture_free(&f);
}

static void test_initrd_lies_as_high_as_possible(void **state)
{
	static uint8_t bytes[5000];
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	memset(bytes, 0x5c, sizeof(bytes));
	f.initrd = (struct boot_file){ .name = "initrd", .bytes = bytes, .size = sizeof(bytes) };
	f.context.initrd = &f.initrd;
	fixture_load(&f);
	assert_int_equal(f.context.initrd_gpa, FIXTURE_RAM_SIZE - 0x2000);
	assert_int_equal(f.context.initrd_size, sizeof(bytes));
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x218, 4), FIXTURE_RAM_SIZE - 0x2000);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x21c, 4), sizeof(bytes));
	assert_memory_equal(f.context.ram + f.context.initrd_gpa, bytes, sizeof(bytes));

	/* Its last byte may be at initrd_addr_max, not beyond. */
	fixture_set(&f, 0x22c, 4, 0x2ffe000 + sizeof(bytes) - 1);
	fixture_load(&f);
	assert_int_equal(f.context.initrd_gpa, 0x2ffe000);
	fixture_set(&f, 0x22c, 4, 0x2ffe000 + sizeof(bytes) - 2);
	fixture_load(&f);
	assert_int_equal(f.context.initrd_gpa, 0x2ffd000);

	/* Where the limit is inside the kernel, below it. */
	fixture_set(&f, 0x22c, 4, PREF_ADDRESS + 0x10000);
	fixture_load(&f);
	assert_int_equal(f.context.initrd_gpa, PREF_ADDRESS - 0x2000);

	fixture_set(&f, 0x22c, 4, 0x100fff);
	fixture_refused(&f, "initrd initrd: no room for its 0x1388 bytes");
	fixture_free(&f);
}

static void test_relocation(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	/* A reserved range at pref_address: the next multiple of the alignment above it. */
	f.map.ranges[3].size = PREF_ADDRESS - MEMORY_EXTENDED_GPA;
	f.map.ranges[4] = (struct memory_range){ PREF_ADDRESS, 0x1000, MEMORY_RESERVED };
	f.map.ranges[5] = (struct memory_range){ PREF_ADDRESS + 0x1000,
						 FIXTURE_RAM_SIZE - PREF_ADDRESS - 0x1000,
						 MEMORY_RAM };
	f.map.count = 6;
	fixture_load(&f);
	assert_int_equal(f.context.kernel_gpa, PREF_ADDRESS + 0x200000);
	assert_int_equal(f.context.regs.rip, PREF_ADDRESS + 0x200200);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x214, 4), PREF_ADDRESS + 0x200000);

	/* By its preferred alignment there is no room, by a smaller one there is. */
	fixture_set(&f, 0x230, 4, 0x8000000);
	fixture_load(&f);
	assert_int_equal(f.context.kernel_gpa, 0x2000000);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x230, 4), 0x2000000);

	/* min_alignment forbids that. */
	fixture_set(&f, 0x235, 1, 27);
	fixture_refused(&f, "init_size at 0x260");

	/* A kernel that cannot be moved does not go elsewhere. */
	fixture_set(&f, 0x234, 1, 0);
	fixture_refused(&f, "init_size at 0x260");
	fixture_free(&f);
}

static void test_fixed_kernel_is_loaded_at_1m(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_set(&f, 0x234, 1, 0);
	fixture_load(&f);
	assert_int_equal(f.context.kernel_gpa, 0x100000);
	assert_int_equal(f.context.kernel_end_gpa, PREF_ADDRESS + INIT_SIZE);
	assert_int_equal(f.context.regs.rip, 0x100200);
	fixture_free(&f);
}

static void test_setup_sects_zero_means_four(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_set(&f, 0x1f1, 1, 0);
	fixture_load(&f);
	assert_int_equal(fixture_ram(&f, PREF_ADDRESS + 0x200, 4), 0xfeedface);
	fixture_free(&f);
}

/* memtest86+ is such a file. */
static void test_last_paragraph_may_be_short(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	f.kernel.size -= 15;
	fixture_load(&f);
	assert_memory_equal(f.context.ram + PREF_ADDRESS, f.image + KERNEL_OFFSET,
			    KERNEL_SIZE - 15);
	assert_int_equal(fixture_ram(&f, PREF_ADDRESS + KERNEL_SIZE - 15, 1), 0xaa);
	fixture_free(&f);
}

static void test_command_line_limit(void **state)
{
	struct fixture f;
	char line[64];

	(void)state;
	fixture_init(&f);
	build(&f);
	memset(line, 'x', sizeof(line));
	line[32] = 0;
	f.context.command_line = line;
	fixture_set(&f, 0x238, 4, 32);
	fixture_load(&f);
	fixture_set(&f, 0x238, 4, 31);
	fixture_refused(&f, "cmdline_size at 0x238 is 31, and the command line has 32");
	fixture_free(&f);
}

static void test_too_little_memory(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_map(&f, PREF_ADDRESS + INIT_SIZE);
	fixture_load(&f);
	fixture_map(&f, PREF_ADDRESS + INIT_SIZE - 0x1000);
	fixture_refused(&f, "give the guest more memory");
	fixture_free(&f);
}

static void test_damaged_header(void **state)
{
	static const struct damage damages[] = {
		{ .words = "the file ends inside it", .cut = 0x206 },
		{ .words = "the file ends inside it", .cut = 0x263 },
		{ .words = "it is torn", .cut = 0x268 },
		{ .words = "setup_sects at 0x1f1 is 4", .cut = 0x800 },
		{ .words = "setup_sects at 0x1f1 is 4", .cut = KERNEL_OFFSET },
		{ .words = "syssize at 0x1f4", .cut = KERNEL_OFFSET + KERNEL_SIZE - 16 },
		{ .words = "setup_sects at 0x1f1 is 255",
		  .offset = 0x1f1,
		  .size = 1,
		  .value = 255 },
		{ .words = "syssize at 0x1f4", .offset = 0x1f4, .size = 4, .value = 0xffffffff },
		{ .words = "syssize at 0x1f4", .offset = 0x1f4, .size = 4, .value = 0 },
		{ .words = "64-bit entry", .offset = 0x1f4, .size = 4, .value = 0x20 },
		{ .words = "boot_flag at 0x1fe", .offset = 0x1fe, .size = 2, .value = 0x55aa },
		{ .words = "jump at 0x201", .offset = 0x201, .size = 1, .value = 0 },
		{ .words = "jump at 0x201", .offset = 0x201, .size = 1, .value = 0xff },
		{ .words = "header at 0x202", .offset = 0x202, .size = 4, .value = 0x53726449 },
		{ .words = "is 2.11", .offset = 0x206, .size = 2, .value = 0x020b },
		{ .words = "is 0.00", .offset = 0x206, .size = 2, .value = 0 },
		{ .words = "LOADED_HIGH", .offset = 0x211, .size = 1, .value = 0 },
		{ .words = "kernel_alignment at 0x230", .offset = 0x230, .size = 4, .value = 0 },
		{ .words = "kernel_alignment at 0x230",
		  .offset = 0x230,
		  .size = 4,
		  .value = 0x300000 },
		{ .words = "min_alignment at 0x235", .offset = 0x235, .size = 1, .value = 64 },
		{ .words = "XLF_KERNEL_64", .offset = 0x236, .size = 2, .value = 0x7e },
		{ .words = "cmdline_size at 0x238", .offset = 0x238, .size = 4, .value = 0 },
		{ .words = "pref_address 0xffff", .offset = 0x258, .size = 8, .value = UINT64_MAX },
		{ .words = "pref_address", .offset = 0x258, .size = 8, .value = 1ull << 33 },
		{ .words = "init_size at 0x260", .offset = 0x260, .size = 4, .value = 0 },
		{ .words = "init_size at 0x260", .offset = 0x260, .size = 4, .value = 0xffffffff },
	};

	(void)state;
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build);
}

static void build_fixed(struct fixture *f)
{
	build(f);
	fixture_set(f, 0x234, 1, 0);
}

static void test_damaged_header_of_a_fixed_kernel(void **state)
{
	static const struct damage damages[] = {
		{ .words = "pref_address", .offset = 0x258, .size = 8, .value = 1ull << 33 },
		{ .words = "pref_address", .offset = 0x258, .size = 8, .value = UINT64_MAX },
		{ .words = "pref_address", .offset = 0x258, .size = 8, .value = 0x1000 },
		{ .words = "init_size at 0x260", .offset = 0x258, .size = 8, .value = 0xfff00000 },
		{ .words = "init_size at 0x260", .offset = 0x260, .size = 4, .value = 0xffffffff },
	};

	(void)state;
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build_fixed);
}

/* A kernel as a distribution ships it, where one has been unpacked for the beds. */
static void test_debian_kernel(void **state)
{
	struct fixture f;
	struct stat status;
	glob_t found;
	void *bytes;
	int fd;

	(void)state;
	if (glob("build/bed/*/boot/vmlinuz-*", 0, NULL, &found) &&
	    glob("build/bed/*/*/boot/vmlinuz-*", 0, NULL, &found) &&
	    glob("build/bed/vmlinuz*", 0, NULL, &found))
		skip();
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	globfree(&found);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	fixture_init(&f);
	free(f.context.ram);
	f.context.ram = aligned_alloc(4096, 256 << 20);
	assert_non_null(f.context.ram);
	fixture_map(&f, 256 << 20);
	f.kernel.bytes = bytes;
	f.kernel.size = (size_t)status.st_size;
	fixture_load(&f);
	assert_int_equal(f.context.regs.rip, f.context.kernel_gpa + 0x200);
	assert_int_equal(fixture_ram(&f, ZERO_PAGE + 0x202, 4), 0x53726448);
	fixture_is_long_mode(&f);
	fixture_free(&f);
	munmap(bytes, (size_t)status.st_size);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_and_memory),
		cmocka_unit_test(test_zero_page),
		cmocka_unit_test(test_initrd_lies_as_high_as_possible),
		cmocka_unit_test(test_relocation),
		cmocka_unit_test(test_fixed_kernel_is_loaded_at_1m),
		cmocka_unit_test(test_setup_sects_zero_means_four),
		cmocka_unit_test(test_last_paragraph_may_be_short),
		cmocka_unit_test(test_command_line_limit),
		cmocka_unit_test(test_too_little_memory),
		cmocka_unit_test(test_damaged_header),
		cmocka_unit_test(test_damaged_header_of_a_fixed_kernel),
		cmocka_unit_test(test_debian_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
