/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * A VM exit is an exception whose handler may go back. Each handler here ends in
 * another way:
 *
 *	resume	the operation is done, with this value: go on behind it
 *	retry	the reason is gone (there is memory now): do it again
 *	abort	enough: leave the guest, and look at where it stands
 */

#include <err.h>
#include <hutch/hutch.h>
#include <stdio.h>

#define PAGE 4096ull

static const uint8_t code[] = {
	0xe4, 0x10,	  /* in  al, 0x10	nobody is there: resume with a value	   */
	0xbb, 0x00, 0x30, /* mov bx, 0x3000					   */
	0x8e, 0xdb,	  /* mov ds, bx		address 0x30000...			   */
	0xa2, 0x07, 0x00, /* mov [7], al	...has no memory: bring some, and retry	   */
	0x02, 0x06, 0x07, /* add al, [7]	now it is there: no exit		   */
	0x00, 0xe6, 0x11, /* out 0x11, al	too bad: abort				   */
};

/* IN is an expression that failed; the handler supplies its value. */
static enum hutch_verdict give_a_value(struct hutch_vcpu *vcpu, struct hutch_exit *exit,
				       void *context)
{
	printf("resume: IN from port 0x%x is 21\n", exit->io.port);
	*(uint8_t *)exit->io.data = 21;
	return HUTCH_RESUME;
}

/* Memory that comes when it is touched. The same access, made again, finds it. */
static enum hutch_verdict bring_memory(struct hutch_vcpu *vcpu, struct hutch_exit *exit,
				       void *context)
{
	uint64_t page = exit->mmio.gpa & ~(PAGE - 1);

	printf("retry:  0x%llx has memory now\n", (unsigned long long)page);
	return hutch_memory_add(hutch_vcpu_vm(vcpu), page, PAGE, 0) ? HUTCH_ABORT : HUTCH_RETRY;
}

static enum hutch_verdict give_up(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	printf("abort:  OUT of %u to port 0x%x; the guest stands here:\n\n",
	       *(uint8_t *)exit->io.data, exit->io.port);
	return HUTCH_ABORT;
}

static void must(bool work)
{
	if (!work)
		errx(1, "%s", hutch_error());
}

static struct hutch_vcpu *make_guest(struct hutch_vm *vm)
{
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;
	struct hutch_vcpu *vcpu = hutch_vcpu_create(vm, 0);

	must(vcpu && !hutch_memory_add(vm, 0, 0x10000, 0));
	must(!hutch_memory_write(vm, 0x1000, code, sizeof(code)));
	must(!hutch_vcpu_get_sregs(vcpu, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	must(!hutch_vcpu_set_sregs(vcpu, &sregs) && !hutch_vcpu_set_regs(vcpu, &regs));
	return vcpu;
}

int main(void)
{
	struct hutch *hutch = hutch_open(NULL);
	struct hutch_vm *vm = hutch ? hutch_vm_create(hutch) : NULL;
	struct hutch_vcpu *vcpu;
	char report[8192];

	must(vm);
	vcpu = make_guest(vm);
	must(!hutch_vm_on_port(vm, 0x10, 0x10, give_a_value, NULL));
	must(!hutch_vm_on_port(vm, 0x11, 0x11, give_up, NULL));
	must(!hutch_vm_on_mmio(vm, 0x20000, 0x100000, bring_memory, NULL));
	must(hutch_vcpu_run(vcpu) == 1);
	hutch_vcpu_report(vcpu, report, sizeof(report));
	fputs(report, stdout);
	hutch_vm_destroy(vm);
	hutch_close(hutch);
}
