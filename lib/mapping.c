/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Where guest memory's pages come from: nowhere, until they are touched (anonymous,
 * MAP_NORESERVE), or from a file, as a private copy or shared with all who have it.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "hutch/hutch.h"
#include "lib/error.h"
#include "lib/mapping.h"
#include "lib/memory.h"
#include "lib/system.h"

#define HUGE_PAGE_SIZE (2ull << 20)

/*
 * A page of a mapping that lies behind the file's end kills whoever touches it
 * (SIGBUS), so a file that is too short is refused here.
 */
static int check_file(const struct memory_request *request)
{
	struct stat status;
	uint64_t end;

	if (request->offset % PAGE_SIZE)
		return hutch_fail(EINVAL,
				  RANGE_FORMAT ": file offset 0x%" PRIx64 " is no multiple of 4096",
				  RANGE(request), request->offset);
	if (__builtin_add_overflow(request->offset, request->size, &end) || end > INT64_MAX)
		return hutch_fail(EINVAL, RANGE_FORMAT ": file offset 0x%" PRIx64 " is too large",
				  RANGE(request), request->offset);
	if (fstat(request->fd, &status))
		return hutch_fail(errno, RANGE_FORMAT ": file: %s", RANGE(request),
				  strerror(errno));
	if (S_ISREG(status.st_mode) && end - PAGE_SIZE >= (uint64_t)status.st_size)
		return hutch_fail(EINVAL,
				  RANGE_FORMAT ": file has only 0x%" PRIx64
					       " bytes, needed are 0x%" PRIx64,
				  RANGE(request), (uint64_t)status.st_size, end);
	return 0;
}

static int map(struct memory_request *request)
{
	bool shared = request->flags & HUTCH_MEMORY_SHARED;
	/* Such a file may be open for reading only, and then nobody can write here. */
	bool readonly = shared && (request->flags & HUTCH_MEMORY_READONLY);
	int protection = PROT_READ | (readonly ? 0 : PROT_WRITE);
	int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_NORESERVE |
		    (request->fd < 0 ? MAP_ANONYMOUS : 0);
	uint8_t *address = NULL;

	if (request->flags & HUTCH_MEMORY_HUGE) {
		/* The host's address is to have the guest's offset within a large page. */
		size_t reserved_size = request->size + HUGE_PAGE_SIZE;
		uint8_t *reserved = system_mmap(NULL, reserved_size, PROT_NONE,
						MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		size_t lead;

		if (reserved == MAP_FAILED)
			goto failed;
		lead = (request->gpa - (uintptr_t)reserved) % HUGE_PAGE_SIZE;
		address = reserved + lead;
		request->mapping = reserved;
		request->mapping_size = reserved_size;
		flags |= MAP_FIXED;
	}
	request->host = system_mmap(address, request->size, protection, flags, request->fd,
				    (off_t)request->offset);
	if (request->host == MAP_FAILED)
		goto failed;
	if (!request->mapping) {
		request->mapping = request->host;
		request->mapping_size = request->size;
	}
	if (request->flags & HUTCH_MEMORY_HUGE)
		madvise(request->host, request->size, MADV_HUGEPAGE);
	if (readonly)
		request->flags |= REGION_HOST_READONLY;
	return 0;

failed:
	return hutch_fail(errno, RANGE_FORMAT ": mmap: %s", RANGE(request), strerror(errno));
}

int mapping_make(struct memory_request *request)
{
	int error = request->fd >= 0 ? check_file(request) : 0;

	if (error)
		return error;
	error = map(request);
	if (error)
		mapping_undo(request);
	return error;
}

void mapping_undo(struct memory_request *request)
{
	if (request->mapping)
		munmap(request->mapping, request->mapping_size);
	request->mapping = NULL;
}
