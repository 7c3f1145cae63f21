/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* A guest of thirteen bytes says hello: the five steps, always the same. */

#include <err.h>
#include <hutch/hutch.h>
#include <stdio.h>

static const uint8_t code[] = {
	0xbe, 0x0d, 0x10, /*       mov  si, message                     */
	0xac,		  /* next: lodsb             its next character */
	0x84, 0xc0,	  /*       test al, al                          */
	0x74, 0x04,	  /*       jz   done         zero: that was all */
	0xe6, 0xe9,	  /*       out  0xe9, al     an exit: say it    */
	0xeb, 0xf7,	  /*       jmp  next                            */
	0xf4,		  /* done: hlt               an exit: the end   */
	'H',  'e',  'l',  'l', 'o', '!', '\n', 0,
};

static enum hutch_verdict say(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	putchar(*(char *)exit->io.data);
	return HUTCH_RESUME;
}

static enum hutch_verdict finish(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	return HUTCH_ABORT;
}

static void must(bool work)
{
	if (!work)
		errx(1, "%s", hutch_error());
}

int main(void)
{
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;
	struct hutch *hutch = hutch_open(NULL);
	struct hutch_vm *vm = hutch ? hutch_vm_create(hutch) : NULL;
	struct hutch_vcpu *vcpu = vm ? hutch_vcpu_create(vm, 0) : NULL;

	/* 1. Build memory. */
	must(vcpu && !hutch_memory_add(vm, 0, 0x10000, 0));
	/* 2. Load. */
	must(!hutch_memory_write(vm, 0x1000, code, sizeof(code)));
	/* 3. Set up the vCPU. */
	must(!hutch_vcpu_get_sregs(vcpu, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	must(!hutch_vcpu_set_sregs(vcpu, &sregs) && !hutch_vcpu_set_regs(vcpu, &regs));
	must(!hutch_vm_on_port(vm, 0xe9, 0xe9, say, NULL));
	must(!hutch_vm_on(vm, HUTCH_EXIT_HLT, finish, NULL));
	/* 4. Enter; 5. answer the exit; and again. */
	must(hutch_vcpu_run(vcpu) == 1);
	hutch_vm_destroy(vm);
	hutch_close(hutch);
}
