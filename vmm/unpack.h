/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_UNPACK_H
#define HUTCH_VMM_UNPACK_H

/*
 * A kernel is unpacked once, not at every boot.
 *
 * A bzImage is a small program with a compressed kernel inside. Left alone, every
 * guest begins its life by decompressing the same bytes, which is the larger part
 * of a micro-VM's boot. The image tells where its payload lies and how it is packed
 * (Linux boot protocol 2.08: payload_offset, payload_length), so the host can unpack
 * it, keep the result in a cache directory, and give the next guest the kernel itself
 * (vmm/boot/unpacked.c does the rest of what the small program would have done).
 *
 * A cached kernel belongs to one file as it was: device, inode, size and times must
 * all agree, or it is made anew. Only files are believed that the caller owns and
 * that nobody else may write. Whatever goes wrong here is never an error of the boot:
 * the guest then unpacks its kernel itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "vmm/boot/boot.h"

struct unpacked_kernel {
	struct boot_file file; /* the unpacked payload: an ELF file and its relocations */
	void *mapping;
	size_t mapping_size;
};

/*
 * Where unpacked kernels are kept unless the user says otherwise: hutch/ in
 * $XDG_CACHE_HOME or in $HOME/.cache. False when neither is set, or it does not fit.
 */
bool unpack_default_directory(char *path, size_t size);

/*
 * The payload of @image (whose file's status is @status) out of the cache in
 * @directory, which is made where it is missing; unpacked and put there first when
 * it is not in it. The result is mapped, private to this process, until
 * unpack_release(). Returns -ENOENT when the image has no payload that can be
 * unpacked here (only xz can), another negative errno when the cache cannot serve.
 */
int unpack_kernel(const struct boot_file *image, const struct stat *status, const char *directory,
		  struct unpacked_kernel *kernel);
void unpack_release(struct unpacked_kernel *kernel);

#endif
