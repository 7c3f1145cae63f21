/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_SYSTEM_H
#define HUTCH_LIB_SYSTEM_H

/*
 * The calls with which this library makes something that must be unmade again:
 * descriptors, mappings, memory, and what an ioctl leaves in the hypervisor. They
 * go through here so that a test can let the n-th of them fail and then count what
 * was left behind. In a release build they are the plain calls and nothing more.
 */

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HUTCH_FAULT_INJECTION

/*
 * The @n-th call of this thread from now on (1: the next) fails with ENOMEM; 0: none.
 * Calls made since then are counted in either case.
 */
void system_fail_at(unsigned int n);
unsigned int system_calls(void);

/* For a step that has no word here: true, with errno set, when it is the one to fail. */
bool system_fails(void);

int system_open(const char *path, int flags);
int system_ioctl(int fd, unsigned long request, unsigned long argument);
void *system_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *system_calloc(size_t count, size_t size);

#else

static inline bool system_fails(void)
{
	return false;
}

static inline int system_open(const char *path, int flags)
{
	return open(path, flags);
}

static inline int system_ioctl(int fd, unsigned long request, unsigned long argument)
{
	return ioctl(fd, request, argument);
}

static inline void *system_mmap(void *address, size_t size, int protection, int flags, int fd,
				off_t offset)
{
	return mmap(address, size, protection, flags, fd, offset);
}

static inline void *system_calloc(size_t count, size_t size)
{
	return calloc(count, size);
}

#endif
#endif
