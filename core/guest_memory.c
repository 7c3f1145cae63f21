/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/guest_memory.h"

#include "core/cpu.h"
#include "core/memory.h"
#include "x86/registers.h"

static bool read_entry(void *context, uint64_t gpa, unsigned int size, uint64_t *entry)
{
	*entry = 0;
	return memory_copy_in(context, gpa, entry, size);
}

static bool mark_entry(void *context, uint64_t gpa, unsigned int size, uint64_t entry,
		       uint64_t marked)
{
	return memory_exchange(context, gpa, size, entry, marked);
}

static struct paging state_of(struct hv_vcpu *vcpu)
{
	const struct hv_cpu_ops *ops = vcpu->vm->ops;

	return (struct paging){
		.cr0 = ops->read_control(vcpu, HV_CR0),
		.cr3 = ops->read_control(vcpu, HV_CR3),
		.cr4 = ops->read_control(vcpu, HV_CR4),
		.efer = ops->read_control(vcpu, HV_EFER),
		.rflags = vcpu->rflags,
		.pkru = vcpu->pkru,
		.address_bits = vcpu->address_bits,
		.no_1g_pages = vcpu->no_1g_pages,
	};
}

struct paging_result guest_access(struct hv_vcpu *vcpu, uint64_t linear, uint32_t access)
{
	const struct paging paging = state_of(vcpu);

	return paging_access(&paging, linear, access, read_entry, mark_entry, vcpu->vm);
}

struct paging_result guest_translate(struct hv_vcpu *vcpu, uint64_t linear, uint32_t access)
{
	const struct paging paging = state_of(vcpu);

	return paging_walk(&paging, linear, access, read_entry, vcpu->vm);
}

struct guest_code guest_code(struct hv_vcpu *vcpu)
{
	const struct hv_cpu_ops *ops = vcpu->vm->ops;
	struct guest_code code = { .address = vcpu->rip, .mode = ops->long_mode };
	struct segment cs;

	ops->read_segment(vcpu, SEGMENT_NUMBER_CS, &cs);
	if (cs.rights & SEGMENT_L && ops->read_control(vcpu, HV_EFER) & IA32_EFER_LMA)
		return code;
	code.address = (uint32_t)(cs.base + vcpu->rip);
	code.mode = DECODE_MODE_16;
	if (cs.rights & SEGMENT_DB && ops->read_control(vcpu, HV_CR0) & CR0_PE &&
	    !(vcpu->rflags & RFLAGS_VM))
		code.mode = DECODE_MODE_32;
	return code;
}

/* Where the code at @linear lies; false: nowhere. Without paging there is nothing to walk. */
static bool find_code(struct hv_vcpu *vcpu, uint64_t linear, uint64_t *gpa)
{
	const struct hv_cpu_ops *ops = vcpu->vm->ops;
	struct paging_result where;

	*gpa = linear;
	if (!(ops->read_control(vcpu, HV_CR0) & CR0_PG))
		return true;
	where = guest_translate(vcpu, linear,
				PAGE_FAULT_I | (ops->cpl(vcpu) == 3 ? PAGE_FAULT_U : 0));
	*gpa = where.gpa;
	return where.status == PAGING_MAPPED;
}

size_t guest_read_code(struct hv_vcpu *vcpu, uint64_t linear, uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		uint64_t at = linear + done, gpa;
		uint64_t left = HV_PAGE_SIZE - at % HV_PAGE_SIZE;
		size_t count = left < size - done ? left : size - done;

		if (!find_code(vcpu, at, &gpa) ||
		    !memory_copy_in(vcpu->vm, gpa, bytes + done, count))
			break;
		done += count;
	}
	return done;
}
