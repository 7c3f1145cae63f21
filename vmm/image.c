/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/system.h"
#include "vmm/terminal.h"

/*
 * A mapped file is read once, from front to back, into guest memory: the page cache
 * is the only other copy. A large one is brought in by the piece, so that a user who
 * waits for a slow disk sees that something moves.
 */

#define PIECE	      (16ull << 20)
#define PROGRESS_FROM (4 * PIECE)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

static int image_error(const char *path, int error, char *text, size_t size)
{
	snprintf(text, size, "%s: %s", path, strerror(error));
	return -error;
}

/* Reads a pipe to its end into memory that grows as it needs to. */
static int read_all(int fd, void **bytes, size_t *count)
{
	size_t capacity = 1 << 20, used = 0;
	uint8_t *memory = system_mmap(NULL, capacity, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ssize_t got;
	int error;

	if (memory == MAP_FAILED)
		return -errno;
	while ((got = read(fd, memory + used, capacity - used)) != 0) {
		void *larger;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			goto err;
		used += (size_t)got;
		if (used < capacity)
			continue;
		larger = mremap(memory, capacity, 2 * capacity, MREMAP_MAYMOVE);
		if (larger == MAP_FAILED)
			goto err;
		memory = larger;
		capacity *= 2;
	}
	/* At least a page, as an empty file is for the loaders to refuse. */
	*bytes = mremap(memory, capacity, used ? used : 1, 0);
	*count = used;
	return 0;

err:
	error = -errno;
	munmap(memory, capacity);
	return error;
}

static int keep_stream(struct image *image, char *error, size_t size)
{
	void *bytes = NULL;
	int result = read_all(image->fd, &bytes, &image->file.size);

	close(image->fd);
	image->fd = -1;
	if (result)
		return image_error(image->file.name, -result, error, size);
	image->file.bytes = bytes;
	image->kept = true;
	return 0;
}

int image_open(struct image *image, const char *path, const char *arguments, char *error,
	       size_t size)
{
	int result;

	*image = (struct image){ .file.name = path, .file.arguments = arguments };
	image->fd = system_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (image->fd < 0)
		return image_error(path, errno, error, size);
	if (system_fails() || fstat(image->fd, &image->status)) {
		result = image_error(path, errno, error, size);
		goto err_close;
	}
	if (S_ISDIR(image->status.st_mode)) {
		result = image_error(path, EISDIR, error, size);
		goto err_close;
	}
	if (!S_ISREG(image->status.st_mode))
		return keep_stream(image, error, size);
	return 0;

err_close:
	close(image->fd);
	image->fd = -1;
	return result;
}

void image_close(struct image *image)
{
	if (!image->file.name)
		return;
	if (image->kept)
		munmap((void *)image->file.bytes, image->file.size ? image->file.size : 1);
	else
		image_unmap(image);
	if (image->fd >= 0)
		close(image->fd);
	*image = (struct image){ 0 };
}

static void populate(const struct image *image)
{
	size_t size = image->file.size;

	if (size < PROGRESS_FROM)
		return;
	for (size_t done = 0; done < size; done += PIECE) {
		size_t piece = size - done < PIECE ? size - done : PIECE;

		terminal_progress(image->file.name, done, size);
		/* Advice: a kernel that does not know it takes the faults. */
		madvise((void *)(image->file.bytes + done), piece, MADV_POPULATE_READ);
	}
	terminal_progress(image->file.name, size, size);
}

int image_map(struct image *image, char *error, size_t size)
{
	void *bytes;

	if (image->file.bytes)
		return 0;
	if (fstat(image->fd, &image->status))
		return image_error(image->file.name, errno, error, size);
	image->file.size = (size_t)image->status.st_size;
	bytes = system_mmap(NULL, image->file.size ? image->file.size : 1, PROT_READ, MAP_PRIVATE,
			    image->fd, 0);
	if (bytes == MAP_FAILED)
		return image_error(image->file.name, errno, error, size);
	image->file.bytes = bytes;
	populate(image);
	return 0;
}

void image_unmap(struct image *image)
{
	if (image->kept || !image->file.bytes)
		return;
	munmap((void *)image->file.bytes, image->file.size ? image->file.size : 1);
	image->file.bytes = NULL;
}
