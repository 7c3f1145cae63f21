/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * One cache file is one page of identity, then the unpacked payload from the next
 * page on. It is written under a name of its own and renamed when it is whole, so
 * that a reader sees all of it or nothing, whoever else starts the same kernel.
 */

#define PAGE		4096u
#define CACHE_MAGIC	0x31656e72656b6875ull
#define CACHE_FILES_MAX 8
#define CACHE_SUFFIX	".kernel"
#define UNPACKED_MAX	(512u << 20) /* no kernel is larger; a torn length must not fill the disk */
#define XZ_MEMORY_MAX	(128u << 20) /* the kernel's own build asks for 32 MiB of dictionary */

/* Linux boot protocol, "The Real-Mode Kernel Header". */
#define SETUP_SECTS_OFFSET    0x1f1
#define HEADER_MAGIC_OFFSET   0x202
#define HEADER_MAGIC	      0x53726448u /* "HdrS" */
#define PROTOCOL_OFFSET	      0x206
#define PROTOCOL_WITH_PAYLOAD 0x0208
#define PAYLOAD_OFFSET_OFFSET 0x248
#define PAYLOAD_LENGTH_OFFSET 0x24c
#define HEADER_END	      0x268

/* What makes two files the same file with the same content. */
struct identity {
	uint64_t magic;
	uint64_t device, inode, size;
	int64_t modified_s, modified_ns, changed_s, changed_ns;
	uint64_t unpacked_size;
};

struct payload {
	const uint8_t *bytes;
	size_t size;
	size_t unpacked_size;
};

static uint32_t read32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Finds an xz stream, followed by its unpacked size in four bytes, as the kernel's build makes it. */
static bool find_payload(const struct boot_file *image, struct payload *payload)
{
	static const uint8_t xz_magic[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
	const uint8_t *bytes = image->bytes;
	uint64_t start, length, sectors;

	if (image->size < HEADER_END || read32(bytes + HEADER_MAGIC_OFFSET) != HEADER_MAGIC)
		return false;
	if ((read32(bytes + PROTOCOL_OFFSET) & 0xffff) < PROTOCOL_WITH_PAYLOAD)
		return false;
	sectors = bytes[SETUP_SECTS_OFFSET] ? bytes[SETUP_SECTS_OFFSET] : 4;
	start = (sectors + 1) * 512 + read32(bytes + PAYLOAD_OFFSET_OFFSET);
	length = read32(bytes + PAYLOAD_LENGTH_OFFSET);
	if (start > image->size || length > image->size - start || length < sizeof(xz_magic) + 4)
		return false;
	if (memcmp(bytes + start, xz_magic, sizeof(xz_magic)) != 0)
		return false;
	payload->bytes = bytes + start;
	payload->size = length - 4;
	payload->unpacked_size = read32(bytes + start + length - 4);
	return payload->unpacked_size && payload->unpacked_size <= UNPACKED_MAX;
}

static void identify(struct identity *identity, const struct stat *status,
		     const struct payload *payload)
{
	*identity = (struct identity){
		.magic = CACHE_MAGIC,
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = (uint64_t)status->st_size,
		.modified_s = status->st_mtim.tv_sec,
		.modified_ns = status->st_mtim.tv_nsec,
		.changed_s = status->st_ctim.tv_sec,
		.changed_ns = status->st_ctim.tv_nsec,
		.unpacked_size = payload->unpacked_size,
	};
}

bool unpack_default_directory(char *path, size_t size)
{
	const char *base = getenv("XDG_CACHE_HOME"), *middle = "";
	int length;

	if (!base || base[0] != '/') {
		base = getenv("HOME");
		middle = "/.cache";
	}
	if (!base || base[0] != '/')
		return false;
	length = snprintf(path, size, "%s%s/hutch", base, middle);
	return length > 0 && (size_t)length < size;
}

/* Opens the cache directory, making it and at most its parent, and distrusts a shared one. */
static int open_directory(const char *path)
{
	struct stat status;
	char parent[4096];
	const char *slash = strrchr(path, '/');
	int fd, error;

	if (slash && slash != path && (size_t)(slash - path) < sizeof(parent)) {
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = 0;
		mkdir(parent, 0700);
	}
	mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		error = -errno;
		goto err_close;
	}
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH))) {
		error = -EPERM;
		goto err_close;
	}
	return fd;

err_close:
	close(fd);
	return error;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/*
 * Keeps the cache small: of more than CACHE_FILES_MAX kernels the one that was used
 * longest ago goes. One at a time is enough, since each call follows one new file.
 */
static void prune(int directory)
{
	char oldest[256] = "";
	struct timespec oldest_time = { 0 };
	unsigned int count = 0;
	struct dirent *entry;
	struct stat status;
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (!listing) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(listing))) {
		const char *suffix = strstr(entry->d_name, CACHE_SUFFIX);

		if (!suffix || strcmp(suffix, CACHE_SUFFIX) != 0 ||
		    fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!count++ || is_before(&status.st_mtim, &oldest_time)) {
			oldest_time = status.st_mtim;
			snprintf(oldest, sizeof(oldest), "%s", entry->d_name);
		}
	}
	if (count > CACHE_FILES_MAX)
		unlinkat(directory, oldest, 0);
	closedir(listing);
}

/* Maps the cached kernel @name if it is the one that @identity describes. */
static int map_cached(int directory, const char *name, const struct identity *identity,
		      struct unpacked_kernel *kernel)
{
	size_t size = PAGE + identity->unpacked_size;
	struct identity found;
	struct stat status;
	void *mapping;
	int error = -ENOENT;
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
	    (status.st_mode & (S_IWGRP | S_IWOTH)) || (uint64_t)status.st_size != size)
		goto out_close;
	if (pread(fd, &found, sizeof(found), 0) != sizeof(found) ||
	    memcmp(&found, identity, sizeof(found)) != 0)
		goto out_close;
	mapping = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapping == MAP_FAILED) {
		error = -errno;
		goto out_close;
	}
	kernel->mapping = mapping;
	kernel->mapping_size = size;
	kernel->file.bytes = (const uint8_t *)mapping + PAGE;
	kernel->file.size = identity->unpacked_size;
	futimens(fd, NULL); /* used now: prune() takes others first */
	error = 0;
out_close:
	close(fd);
	return error;
}

static int unpack(const struct payload *payload, uint8_t *out)
{
	uint64_t memory_limit = XZ_MEMORY_MAX;
	size_t in_position = 0, out_position = 0;
	lzma_ret result = lzma_stream_buffer_decode(&memory_limit, 0, NULL, payload->bytes,
						    &in_position, payload->size, out, &out_position,
						    payload->unpacked_size);

	return result == LZMA_OK && out_position == payload->unpacked_size ? 0 : -EBADMSG;
}

/* Writes all but the pages of zeros, of which an unpacked kernel has many: they stay holes. */
static int write_sparse(int fd, const uint8_t *bytes, size_t size, off_t offset)
{
	static const uint8_t zeros[PAGE];
	size_t done = 0;

	while (done < size) {
		size_t end = done;

		while (end < size && size - end >= PAGE && memcmp(bytes + end, zeros, PAGE) != 0)
			end += PAGE;
		if (size - end < PAGE)
			end = size;
		while (done < end) {
			ssize_t count = pwrite(fd, bytes + done, end - done, offset + (off_t)done);

			if (count < 0)
				return -errno;
			done += (size_t)count;
		}
		if (done < size)
			done += PAGE;
	}
	return 0;
}

static int fill(int fd, const struct payload *payload, const struct identity *identity)
{
	uint8_t *bytes = mmap(NULL, payload->unpacked_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int error;

	if (bytes == MAP_FAILED)
		return -errno;
	error = unpack(payload, bytes);
	if (error)
		goto out_unmap;
	if (ftruncate(fd, (off_t)(PAGE + payload->unpacked_size)) < 0 ||
	    pwrite(fd, identity, sizeof(*identity), 0) != sizeof(*identity)) {
		error = errno ? -errno : -EIO;
		goto out_unmap;
	}
	error = write_sparse(fd, bytes, payload->unpacked_size, PAGE);
	if (!error && fdatasync(fd) < 0)
		error = -errno;
out_unmap:
	munmap(bytes, payload->unpacked_size);
	return error;
}

/* Makes the cache file @name whole, or leaves no trace of the attempt. */
static int put(int directory, const char *name, const struct payload *payload,
	       const struct identity *identity)
{
	char temporary[96];
	int fd, error;

	snprintf(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid());
	fd = openat(directory, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	error = fill(fd, payload, identity);
	close(fd);
	if (!error && renameat(directory, temporary, directory, name) < 0)
		error = -errno;
	if (error)
		unlinkat(directory, temporary, 0);
	else
		prune(directory);
	return error;
}

int unpack_kernel(const struct boot_file *image, const struct stat *status, const char *path,
		  struct unpacked_kernel *kernel)
{
	struct identity identity;
	struct payload payload;
	char name[64];
	int directory, error;

	*kernel = (struct unpacked_kernel){ .file.name = image->name };
	if (!find_payload(image, &payload))
		return -ENOENT;
	identify(&identity, status, &payload);
	directory = open_directory(path);
	if (directory < 0)
		return directory;
	snprintf(name, sizeof(name), "%llx-%llx" CACHE_SUFFIX, (unsigned long long)identity.device,
		 (unsigned long long)identity.inode);
	error = map_cached(directory, name, &identity, kernel);
	if (error) {
		error = put(directory, name, &payload, &identity);
		if (!error)
			error = map_cached(directory, name, &identity, kernel);
	}
	close(directory);
	return error;
}

void unpack_release(struct unpacked_kernel *kernel)
{
	if (kernel->mapping)
		munmap(kernel->mapping, kernel->mapping_size);
	*kernel = (struct unpacked_kernel){ 0 };
}
