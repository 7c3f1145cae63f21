/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_MAPPING_H
#define HUTCH_LIB_MAPPING_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

/* A region of guest memory on its way from the caller's wish to the table. */
struct memory_request {
	uint64_t gpa, size;
	uint32_t flags;
	int fd; /* -1: none */
	uint64_t offset;
	uint8_t *host;
	void *mapping; /* what mapping_undo() unmaps, NULL for memory of the caller */
	size_t mapping_size;
};

/* Each message begins with the range that it is about. */
#define RANGE_FORMAT   "memory at 0x%" PRIx64 ", 0x%" PRIx64 " bytes"
#define RANGE(request) (request)->gpa, (request)->size

#define PAGE_SIZE      4096ull

/*
 * Maps pages for the request, from its file if it has one, and fills in @host. 0, or a
 * negative errno with nothing mapped.
 */
int mapping_make(struct memory_request *request);
void mapping_undo(struct memory_request *request);

#endif
