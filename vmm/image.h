/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_IMAGE_H
#define HUTCH_VMM_IMAGE_H

/*
 * A file that the user named: a kernel, an initrd, a module, firmware. It is mapped
 * only while it is read, and stays open behind that, so that a reboot finds the same
 * file again. What is no regular file (a pipe) is read once and kept.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "vmm/boot/boot.h"

struct image {
	struct boot_file file; /* bytes NULL: not mapped now */
	int fd;		       /* -1: not open, or no regular file */
	bool kept;	       /* read from a pipe: mapped until it is closed */
	struct stat status;
};

/*
 * Opens @path; @arguments (or NULL) are a module's. Both stay the caller's. 0 or a
 * negative errno with one line in @error that begins with the path.
 */
int image_open(struct image *image, const char *path, const char *arguments, char *error,
	       size_t size);
void image_close(struct image *image);

/*
 * Maps it, read-only. A large file is read in at once, with progress on a terminal. 0 or a negative errno with @error set.
 */
int image_map(struct image *image, char *error, size_t size);
void image_unmap(struct image *image);

#endif
