/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/gfp.h>
#include <linux/slab.h>

/*
 * The module's own memory, counted: what it takes it gives back, and when it leaves it
 * says so. All of it is on the account of the process that it is for (memory cgroups).
 */

static atomic_long_t pieces, pages;

void account(long change)
{
	long now = atomic_long_add_return(change, &pieces);

	INVARIANT(now >= 0, "more memory is given back than was taken");
}

void *own_alloc(size_t size)
{
	void *memory = kvzalloc(size, GFP_KERNEL_ACCOUNT);

	if (memory)
		account(1);
	return memory;
}

void own_free(const void *memory)
{
	if (!memory)
		return;
	account(-1);
	kvfree(memory);
}

void *own_pages(unsigned int order)
{
	void *taken = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, order);

	if (taken)
		atomic_long_add(1l << order, &pages);
	return taken;
}

void own_pages_free(void *given, unsigned int order)
{
	long left;

	if (!given)
		return;
	left = atomic_long_sub_return(1l << order, &pages);
	INVARIANT(left >= 0, "more pages are given back than were taken");
	free_pages((unsigned long)given, order);
}

bool account_is_even(void)
{
	long left = atomic_long_read(&pieces), pages_left = atomic_long_read(&pages);

	if (left || pages_left)
		pr_err("hutch: broken: %ld pieces and %ld pages of memory are left behind\n", left,
		       pages_left);
	return !left && !pages_left;
}
