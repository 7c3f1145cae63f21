/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/footprint.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A static program of a megabyte is mapped sixteen pages at a time as it touches them,
 * so that after its start-up all of it is there: several times what the few loops need
 * that run from then on.
 */

/* Whether somebody debugs us (proc(5), TracerPid). */
static bool is_traced(void)
{
	static const char key[] = "\nTracerPid:";
	char status[2048];
	const char *line;
	ssize_t size;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	size = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (size < 0)
		return true;
	status[size] = 0;
	line = strstr(status, key);
	return !line || strtoul(line + sizeof(key) - 1, NULL, 10) != 0;
}

void footprint_trim(void)
{
	const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const size_t count = getauxval(AT_PHNUM), page = (size_t)sysconf(_SC_PAGESIZE);

	if (!headers || is_traced())
		return;
	for (size_t i = 0; i < count; i++) {
		const uint64_t end = headers[i].p_vaddr + headers[i].p_filesz;

		/* A program that is moved when it is loaded has its first segment at 0. */
		if (headers[i].p_type != PT_LOAD || headers[i].p_flags & PF_W)
			continue;
		if (!headers[i].p_vaddr)
			return;
		madvise((void *)(headers[i].p_vaddr & -page), end - (headers[i].p_vaddr & -page),
			MADV_DONTNEED);
	}
}
