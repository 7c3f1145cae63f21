/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Failure on demand: see lib/system.h. Every function of this library that makes
 * something claims to leave nothing behind when it fails half-way; the only way to
 * know is to let each of its steps fail once.
 */

#include "lib/system.h"

#ifdef HUTCH_FAULT_INJECTION

#include <errno.h>

static _Thread_local unsigned int calls;
static _Thread_local unsigned int failing_call;

void system_fail_at(unsigned int n)
{
	calls = 0;
	failing_call = n;
}

unsigned int system_calls(void)
{
	return calls;
}

bool system_fails(void)
{
	if (++calls != failing_call)
		return false;
	errno = ENOMEM;
	return true;
}

int system_open(const char *path, int flags)
{
	return system_fails() ? -1 : open(path, flags);
}

int system_ioctl(int fd, unsigned long request, unsigned long argument)
{
	return system_fails() ? -1 : ioctl(fd, request, argument);
}

void *system_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	return system_fails() ? MAP_FAILED : mmap(address, size, protection, flags, fd, offset);
}

void *system_calloc(size_t count, size_t size)
{
	return system_fails() ? NULL : calloc(count, size);
}

#else

/* A translation unit may not be empty. */
extern const char hutch_system_has_no_fault_injection;

#endif
