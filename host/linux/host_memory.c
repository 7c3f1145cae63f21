/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/io.h>
#include <linux/pgtable.h>
#include <linux/swap.h>
#include <linux/uaccess.h>

/*
 * The VMM's memory as the core uses it. A page is brought in by the kernel's own fault
 * path and is pinned only until it stands in the guest's table: from then on the
 * notifier of memory.c tells when it goes, so that it can be swapped, merged and moved
 * like any other.
 */

static_assert(HV_PAGE_SIZE == PAGE_SIZE);

#define ORDER_2M (PMD_SHIFT - PAGE_SHIFT)
#define ORDER_1G (PUD_SHIFT - PAGE_SHIFT)

/*
 * How large the host has mapped the page at @hva: its tables are looked at with
 * interrupts off, which keeps them from being freed (Linux, mm/gup.c, fast GUP). What is
 * read may be old the moment after; then the notifier has spoken, and the core asks again.
 */
static unsigned int mapped_order(unsigned long hva, bool writable)
{
	unsigned int order = 0;
	unsigned long flags;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(current->mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		if (!writable || pud_write(pud))
			order = ORDER_1G;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_present(pmd) && pmd_leaf(pmd) && (!writable || pmd_write(pmd)))
		order = ORDER_2M;
out:
	local_irq_restore(flags);
	return order;
}

int host_frame_get(uint64_t hva, bool write, struct host_frame *frame)
{
	unsigned long address = hva;
	struct page *page, *again;
	long count;

	might_sleep();
	frame->writable = get_user_pages_fast_only(address, 1, FOLL_WRITE, &page) == 1;
	if (!frame->writable) {
		count = get_user_pages_unlocked(address, 1, &page, write ? FOLL_WRITE : 0);
		if (count != 1)
			return count == -ENOMEM || count == -EINTR ? count : HOST_EFAULT;
		frame->writable = write;
	}
	/* What is only read now may be written later without another fault, if it is ours. */
	if (!frame->writable && get_user_pages_fast_only(address, 1, FOLL_WRITE, &again) == 1) {
		put_page(page);
		page = again;
		frame->writable = true;
	}
	frame->physical = page_to_phys(page);
	frame->order = mapped_order(address, frame->writable);
	frame->page = page;
	return HOST_OK;
}

void host_frame_put(const struct host_frame *frame, bool mapped)
{
	struct page *page = frame->page;

	if (mapped && frame->writable && !PageReserved(page))
		SetPageDirty(page);
	if (mapped && !PageReserved(page))
		mark_page_accessed(page);
	put_page(page);
}

/* Nothing may be waited for: only what stands in the VMM's own tables now can be told. */
bool host_frame_is(const struct hv_vm *vm, uint64_t hva, uint64_t physical)
{
	const struct hutch_vm *host = vm->host;
	struct page *page;
	bool is;

	if (current->mm != host->mm || get_user_pages_fast_only(hva, 1, 0, &page) != 1)
		return true;
	is = page_to_phys(page) == physical;
	put_page(page);
	return is;
}

/*
 * An instruction, a page-table entry: for so little, the look at the kernel's own buffer
 * that copy_from_user() takes costs more than the copy.
 */
#define FEW_BYTES 16

static bool copy_few(u8 *to, const u8 __user *from, size_t size)
{
	if (!user_read_access_begin(from, size))
		return false;
	for (; size >= sizeof(u64); to += sizeof(u64), from += sizeof(u64), size -= sizeof(u64))
		unsafe_get_user(*(u64 *)to, (const u64 __user *)from, err_fault);
	for (; size; to++, from++, size--)
		unsafe_get_user(*to, from, err_fault);
	user_read_access_end();
	return true;
err_fault:
	user_read_access_end();
	return false;
}

bool host_copy_in(void *to, uint64_t hva, size_t size)
{
	const void __user *from = (const void __user *)(uintptr_t)hva;

	return size <= FEW_BYTES ? copy_few(to, from, size) : !copy_from_user(to, from, size);
}

bool host_copy_out(uint64_t hva, const void *from, size_t size)
{
	return !copy_to_user((void __user *)(uintptr_t)hva, from, size);
}

enum host_exchange host_exchange(uint64_t hva, unsigned int size, uint64_t expected, uint64_t value)
{
	u32 __user *small = (u32 __user *)(uintptr_t)hva;
	u64 __user *large = (u64 __user *)(uintptr_t)hva;
	u32 small_value = (u32)expected;
	int failed;

	if (!access_ok(large, size))
		return HOST_EXCHANGE_FAULT;
	if (size == sizeof(*small))
		failed = __try_cmpxchg_user(small, &small_value, (u32)value, err_small);
	else
		failed = __try_cmpxchg_user(large, &expected, value, err_large);
	if (failed < 0)
		return HOST_EXCHANGE_FAULT;
	return failed ? HOST_EXCHANGE_OTHER : HOST_EXCHANGE_DONE;
}

bool host_copy_out_now(uint64_t hva, const void *from, size_t size)
{
	return !copy_to_user_nofault((void __user *)(uintptr_t)hva, from, size);
}
