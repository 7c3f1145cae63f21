/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The cache of unpacked kernels: what comes out is what went in, it is made once, made
 * anew when the image changes, and never believed when somebody else could have written it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/unpack.h"

#define KERNEL_SIZE (3 * 4096 + 123)
#define SETUP_SIZE  (5 * 512)
#define PAYLOAD_GAP 64

struct fixture {
	char directory[64];
	char cache[80];
	char image_path[80];
	uint8_t kernel[KERNEL_SIZE];
	uint8_t image[SETUP_SIZE + 65536];
	size_t image_size;
	struct stat status;
};

static void put32(uint8_t *bytes, uint32_t value)
{
	memcpy(bytes, &value, 4);
}

/* A kernel with a page of zeros inside, packed as the kernel's build does it. */
static void make_image(struct fixture *fixture, uint8_t seed)
{
	uint8_t *payload = fixture->image + SETUP_SIZE + PAYLOAD_GAP;
	size_t packed = 0;

	for (size_t i = 0; i < KERNEL_SIZE; i++)
		fixture->kernel[i] = i / 4096 == 1 ? 0 : (uint8_t)(i * 7 + seed);
	memset(fixture->image, 0, sizeof(fixture->image));
	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, fixture->kernel,
						 KERNEL_SIZE, payload, &packed, 65000),
			 LZMA_OK);
	put32(payload + packed, KERNEL_SIZE);
	fixture->image[0x1f1] = 4;
	put32(fixture->image + 0x202, 0x53726448);
	fixture->image[0x206] = 0x0f;
	fixture->image[0x207] = 0x02;
	put32(fixture->image + 0x248, PAYLOAD_GAP);
	put32(fixture->image + 0x24c, (uint32_t)packed + 4);
	fixture->image_size = SETUP_SIZE + PAYLOAD_GAP + packed + 4;
}

static void write_image(struct fixture *fixture)
{
	int fd = open(fixture->image_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, fixture->image, fixture->image_size), fixture->image_size);
	assert_int_equal(fstat(fd, &fixture->status), 0);
	close(fd);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->directory, "/tmp/hutch-unpack-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->cache, sizeof(fixture->cache), "%s/cache", fixture->directory);
	snprintf(fixture->image_path, sizeof(fixture->image_path), "%s/image", fixture->directory);
	make_image(fixture, 1);
	write_image(fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static int unpack_image(struct fixture *fixture, struct unpacked_kernel *kernel)
{
	struct boot_file file = { .name = "image",
				  .bytes = fixture->image,
				  .size = fixture->image_size };

	return unpack_kernel(&file, &fixture->status, fixture->cache, kernel);
}

static void assert_unpacks(struct fixture *fixture)
{
	struct unpacked_kernel kernel;

	assert_int_equal(unpack_image(fixture, &kernel), 0);
	assert_int_equal(kernel.file.size, KERNEL_SIZE);
	assert_memory_equal(kernel.file.bytes, fixture->kernel, KERNEL_SIZE);
	unpack_release(&kernel);
	assert_null(kernel.mapping);
}

static void cache_file(struct fixture *fixture, char *path, size_t size)
{
	snprintf(path, size, "%s/%llx-%llx.kernel", fixture->cache,
		 (unsigned long long)fixture->status.st_dev,
		 (unsigned long long)fixture->status.st_ino);
}

static void test_round_trip(void **state)
{
	assert_unpacks(*state);
}

/* The second time the packed bytes are not read: they may be torn and nobody notices. */
static void test_made_once(void **state)
{
	struct fixture *fixture = *state;

	assert_unpacks(fixture);
	memset(fixture->image + SETUP_SIZE + PAYLOAD_GAP + 40, 0xff, 40);
	assert_unpacks(fixture);
}

static void test_made_anew_when_the_image_changes(void **state)
{
	struct fixture *fixture = *state;

	assert_unpacks(fixture);
	make_image(fixture, 2);
	write_image(fixture);
	fixture->status.st_mtim.tv_nsec ^= 1; /* however coarse the file system's clock is */
	assert_unpacks(fixture);
}

static void test_torn_payload_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct unpacked_kernel kernel;
	char path[160];

	memset(fixture->image + SETUP_SIZE + PAYLOAD_GAP + 40, 0xff, 40);
	assert_int_equal(unpack_image(fixture, &kernel), -EBADMSG);
	assert_null(kernel.mapping);
	cache_file(fixture, path, sizeof(path));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(fixture->cache), 0); /* and so no temporary file either */
}

static void test_wrong_size_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct unpacked_kernel kernel;

	put32(fixture->image + fixture->image_size - 4, KERNEL_SIZE + 1);
	assert_int_equal(unpack_image(fixture, &kernel), -EBADMSG);
	put32(fixture->image + fixture->image_size - 4, KERNEL_SIZE - 1);
	assert_int_equal(unpack_image(fixture, &kernel), -EBADMSG);
	put32(fixture->image + fixture->image_size - 4, UINT32_MAX);
	assert_int_equal(unpack_image(fixture, &kernel), -ENOENT);
}

static void test_what_is_no_payload(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} breaks[] = {
		{ 0x202, 0 },		    /* no header */
		{ 0x206, 0x0207 },	    /* a protocol before payload_offset */
		{ 0x248, 0x7fffffff },	    /* payload_offset beyond the file */
		{ 0x248, 0xffffffff },	    /* ... and one that would wrap */
		{ 0x24c, 0x7fffffff },	    /* payload_length beyond the file */
		{ 0x24c, 9 },		    /* too short to be anything */
		{ 0x248, PAYLOAD_GAP + 4 }, /* no xz there */
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		struct unpacked_kernel kernel;

		make_image(fixture, 1);
		put32(fixture->image + breaks[i].offset, breaks[i].value);
		assert_int_equal(unpack_image(fixture, &kernel), -ENOENT);
	}
	for (size_t size = 0; size < SETUP_SIZE; size += 97) {
		struct unpacked_kernel kernel;

		make_image(fixture, 1);
		fixture->image_size = size;
		assert_int_equal(unpack_image(fixture, &kernel), -ENOENT);
	}
}

static void test_distrusts_what_others_may_write(void **state)
{
	struct fixture *fixture = *state;
	struct unpacked_kernel kernel;
	char path[160];
	int fd;

	assert_unpacks(fixture);
	assert_int_equal(chmod(fixture->cache, 0777), 0);
	assert_int_equal(unpack_image(fixture, &kernel), -EPERM);
	assert_int_equal(chmod(fixture->cache, 0700), 0);

	/* A file that others could have written is replaced, not believed. */
	cache_file(fixture, path, sizeof(path));
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "evil", 4, 4096), 4);
	assert_int_equal(fchmod(fd, 0666), 0);
	close(fd);
	assert_unpacks(fixture);
}

static void test_truncated_cache_file_is_made_anew(void **state)
{
	struct fixture *fixture = *state;
	char path[160];

	assert_unpacks(fixture);
	cache_file(fixture, path, sizeof(path));
	assert_int_equal(truncate(path, 4096 + 100), 0);
	assert_unpacks(fixture);
}

static void test_cache_stays_small(void **state)
{
	struct fixture *fixture = *state;
	unsigned int found = 0;
	char path[160];

	for (unsigned int i = 0; i < 12; i++) {
		fixture->status.st_ino = 1000 + i;
		assert_unpacks(fixture);
	}
	for (unsigned int i = 0; i < 12; i++) {
		fixture->status.st_ino = 1000 + i;
		cache_file(fixture, path, sizeof(path));
		found += access(path, F_OK) == 0;
	}
	assert_int_equal(found, 8);
}

static void test_default_directory(void **state)
{
	char path[64];

	(void)state;
	setenv("XDG_CACHE_HOME", "/var/cache", 1);
	assert_true(unpack_default_directory(path, sizeof(path)));
	assert_string_equal(path, "/var/cache/hutch");
	setenv("XDG_CACHE_HOME", "relative", 1);
	setenv("HOME", "/home/guest", 1);
	assert_true(unpack_default_directory(path, sizeof(path)));
	assert_string_equal(path, "/home/guest/.cache/hutch");
	assert_false(unpack_default_directory(path, 10));
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	assert_false(unpack_default_directory(path, sizeof(path)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_made_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_made_anew_when_the_image_changes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_torn_payload_leaves_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_size_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_no_payload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_distrusts_what_others_may_write, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_truncated_cache_file_is_made_anew, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_cache_stays_small, set_up, tear_down),
		cmocka_unit_test(test_default_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
