/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HUTCH_H
#define HUTCH_HUTCH_H

/*
 * libhutch: a hypervisor as a catch block that can resume.
 *
 * Guest code is the `try` body, a VM exit is the `throw`, and what stands in
 * this header is the `catch`. It always takes the same five steps:
 *
 *	1. build memory		hutch_vm_create(), hutch_memory_add()
 *	2. load			hutch_memory_write()
 *	3. set up the vCPU	hutch_vcpu_create(), hutch_vcpu_set_regs()
 *	4. enter		hutch_vcpu_run()
 *	5. answer the exit	a handler, which resumes; and again from 4
 *
 * Everything goes over the KVM ABI (<linux/kvm.h>) of a device node, so any
 * hypervisor that speaks it will do. The ABI's own structures (struct kvm_regs
 * and its kin) are used as they are: there is no second set of names to learn.
 *
 * Errors: a function that can fail returns 0 or a negative errno (or NULL with
 * errno set), and hutch_error() then holds one line that says what failed, where
 * and what to do. Nothing here prints, exits or installs a signal handler.
 *
 * Threads: an object may be used by one thread at a time, except where a
 * function says "from any thread". Different vCPUs of one VM run in parallel.
 */

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hutch;	   /* an open hypervisor */
struct hutch_vm;   /* a guest: memory and vCPUs */
struct hutch_vcpu; /* one virtual processor */

/* The last error of the calling thread: one line without a newline, never NULL. */
const char *hutch_error(void);

/* ---- the hypervisor ---------------------------------------------------- */

#define HUTCH_DEFAULT_DEVICE "/dev/kvm"

/*
 * Opens a hypervisor's device node (NULL: HUTCH_DEFAULT_DEVICE) and checks that
 * it speaks KVM API version 12. Returns NULL with errno set. Owned by the
 * caller until hutch_close(), which must come after its last VM's destruction.
 */
struct hutch *hutch_open(const char *device);
void hutch_close(struct hutch *hutch);

/* The device node's path; the descriptor, for ioctls that this library has no word for. */
const char *hutch_device(const struct hutch *hutch);
int hutch_fd(const struct hutch *hutch);

/* KVM_CHECK_EXTENSION of the system: 0 where the capability (KVM_CAP_...) is absent. */
int hutch_capability(const struct hutch *hutch, unsigned int capability);

/*
 * KVM_GET_SUPPORTED_CPUID: what a guest may be shown. The result is malloc()ed and
 * the caller's to free(); NULL with errno set on failure.
 */
struct kvm_cpuid2 *hutch_supported_cpuid(const struct hutch *hutch);

/* ---- the guest --------------------------------------------------------- */

struct hutch_vm *hutch_vm_create(struct hutch *hutch);
/* Destroys the VM and every vCPU and memory region still in it. NULL is fine. */
void hutch_vm_destroy(struct hutch_vm *vm);

int hutch_vm_fd(const struct hutch_vm *vm);
struct hutch *hutch_vm_hypervisor(const struct hutch_vm *vm);

/* An ioctl on the VM; a failure is -errno and names the request in hutch_error(). */
int hutch_vm_ioctl(struct hutch_vm *vm, unsigned long request, const char *name, void *argument);

/* ---- guest memory ------------------------------------------------------ */

enum hutch_memory_flags {
	/* Guest writes leave as MMIO exits; the host may still write. */
	HUTCH_MEMORY_READONLY = 1 << 0,
	/* 2M pages where the host has them: advice, never an error. */
	HUTCH_MEMORY_HUGE = 1 << 1,
	/* Of a file: writes reach the file. With READONLY nobody writes, the host neither. */
	HUTCH_MEMORY_SHARED = 1 << 2,
	/* KVM_MEM_LOG_DIRTY_PAGES */
	HUTCH_MEMORY_LOG_DIRTY = 1 << 3,
};

/*
 * Adds @size bytes of guest-physical memory at @gpa. Both are multiples of 4096.
 * A region that overlaps another, wraps or is empty is refused (-EEXIST, -EINVAL).
 * hutch_memory_add() backs it with zeroed private pages that cost nothing until
 * touched; hutch_memory_add_file() with a file from @offset (a private copy unless
 * HUTCH_MEMORY_SHARED; the descriptor stays the caller's, and the file must not be cut
 * short while it is mapped); hutch_memory_add_host() with memory of the caller, which
 * must outlive the region. From any thread, as all of guest memory.
 */
int hutch_memory_add(struct hutch_vm *vm, uint64_t gpa, uint64_t size, unsigned int flags);
int hutch_memory_add_file(struct hutch_vm *vm, uint64_t gpa, uint64_t size, unsigned int flags,
			  int fd, uint64_t offset);
int hutch_memory_add_host(struct hutch_vm *vm, uint64_t gpa, uint64_t size, unsigned int flags,
			  void *host);

/* Removes the region that begins at @gpa; -ENOENT where none does. */
int hutch_memory_remove(struct hutch_vm *vm, uint64_t gpa);

/*
 * The host address of [@gpa, @gpa + @size), or NULL unless the whole span lies in
 * one region. Valid until that region is removed. Takes no lock.
 */
void *hutch_memory_at(const struct hutch_vm *vm, uint64_t gpa, uint64_t size);

/* Copies to and from guest-physical memory, across regions; -EFAULT copies nothing. */
int hutch_memory_read(const struct hutch_vm *vm, uint64_t gpa, void *buffer, size_t size);
int hutch_memory_write(const struct hutch_vm *vm, uint64_t gpa, const void *buffer, size_t size);

/* ---- the exit ---------------------------------------------------------- */

/* Why the guest left. Names are stable; hutch_exit_name() gives them as text. */
enum hutch_exit_reason {
	HUTCH_EXIT_IO,	 /* IN, OUT, INS, OUTS */
	HUTCH_EXIT_MMIO, /* an access to a guest-physical address with no memory */
	HUTCH_EXIT_HLT,
	HUTCH_EXIT_SHUTDOWN, /* triple fault */
	HUTCH_EXIT_HYPERCALL,
	HUTCH_EXIT_MSR_READ,
	HUTCH_EXIT_MSR_WRITE,
	HUTCH_EXIT_DEBUG,      /* breakpoint, watchpoint, single step */
	HUTCH_EXIT_IRQ_WINDOW, /* the guest can take an interrupt now */
	HUTCH_EXIT_TPR,	       /* CR8 written (no in-kernel local APIC) */
	HUTCH_EXIT_IOAPIC_EOI, /* level interrupt acknowledged (split irqchip) */
	HUTCH_EXIT_SYSTEM_EVENT,
	HUTCH_EXIT_INTERRUPTED,	   /* hutch_vcpu_kick(), or a signal */
	HUTCH_EXIT_INTERNAL_ERROR, /* the hypervisor could not go on (emulation failure...) */
	HUTCH_EXIT_ENTRY_FAILURE,  /* the processor refused the guest's state */
	HUTCH_EXIT_UNKNOWN,	   /* a reason this library has no word for: @hardware_reason */
	HUTCH_EXIT_COUNT,
};

struct hutch_exit {
	enum hutch_exit_reason reason;
	uint32_t kvm_reason; /* KVM_EXIT_... as the hypervisor gave it */
	union {
		/* @count operands of @size bytes each at @data: read them on a write, fill them on a read. */
		struct {
			void *data;
			uint32_t count;
			uint16_t port;
			uint8_t size;
			bool write;
		} io;
		struct {
			void *data;
			uint64_t gpa;
			uint32_t size;
			bool write;
		} mmio;
		/* Set @fault to raise #GP in the guest in place of a result. */
		struct {
			uint64_t *value;
			uint32_t index;
			bool *fault;
		} msr;
		struct {
			uint64_t number;
			const uint64_t *arguments; /* six */
			uint64_t *result;
		} hypercall;
		struct {
			uint64_t rip, dr6, dr7;
			uint32_t exception;
		} debug;
		struct {
			uint32_t type;
			uint64_t flags;
		} system_event;
		struct {
			uint32_t suberror; /* KVM_INTERNAL_ERROR_... */
			uint32_t count;
			const uint64_t *data;
		} internal_error;
		struct {
			uint64_t hardware_reason;
			uint32_t cpu;
		} entry_failure;
		struct {
			uint64_t hardware_reason;
		} unknown;
		struct {
			uint32_t vector;
		} ioapic_eoi;
	};
};

const char *hutch_exit_name(enum hutch_exit_reason reason);

/*
 * What a handler decides.
 *
 * HUTCH_RETRY makes an access (port, MMIO, MSR, hypercall) again: it goes to memory
 * where a handler has added memory meanwhile, and is else answered anew. It is the
 * access and not the whole instruction that is repeated, so a REP goes on at the step
 * it stands at. HLT halts again. Any other exit has nothing to repeat, and the guest
 * goes on.
 */
enum hutch_verdict {
	HUTCH_RESUME, /* the operation is done (its value is filled in): go on behind it */
	HUTCH_RETRY,  /* nothing is done: make the same access, or execute HLT, again */
	HUTCH_ABORT,  /* leave hutch_vcpu_run(), with the exit still there to look at */
	HUTCH_PASS,   /* not mine: ask the next handler */
};

typedef enum hutch_verdict hutch_handler(struct hutch_vcpu *vcpu, struct hutch_exit *exit,
					 void *context);

/*
 * Registers a handler for one class of exit of every vCPU of the VM: a range of
 * ports, a range of guest-physical addresses, or a reason. Ranges of one kind may
 * not overlap (-EEXIST). A handler for a reason is asked when no range matched.
 * Handlers are registered before the vCPUs run and stay for the VM's life. They run in
 * their vCPU's thread, so those of different vCPUs at the same time. A range owns the
 * accesses that begin in it, also one that reaches beyond its end.
 * A port or address that nobody claims is not "handled" by default: give
 * hutch_vm_on() a handler for HUTCH_EXIT_IO that answers all ones if that is meant.
 */
int hutch_vm_on_port(struct hutch_vm *vm, uint16_t first, uint16_t last, hutch_handler *handler,
		     void *context);
int hutch_vm_on_mmio(struct hutch_vm *vm, uint64_t gpa, uint64_t size, hutch_handler *handler,
		     void *context);
int hutch_vm_on(struct hutch_vm *vm, enum hutch_exit_reason reason, hutch_handler *handler,
		void *context);

/* ---- the vCPU ---------------------------------------------------------- */

struct hutch_vcpu *hutch_vcpu_create(struct hutch_vm *vm, unsigned int id);
void hutch_vcpu_destroy(struct hutch_vcpu *vcpu);

unsigned int hutch_vcpu_id(const struct hutch_vcpu *vcpu);
struct hutch_vm *hutch_vcpu_vm(const struct hutch_vcpu *vcpu);
int hutch_vcpu_fd(const struct hutch_vcpu *vcpu);
/* The page shared with the hypervisor: cr8, apic_base, if_flag and their kin. */
struct kvm_run *hutch_vcpu_run_page(const struct hutch_vcpu *vcpu);
int hutch_vcpu_ioctl(struct hutch_vcpu *vcpu, unsigned long request, const char *name,
		     void *argument);

/*
 * Registers. Where the hypervisor offers it (KVM_CAP_SYNC_REGS) the general registers
 * are read from the shared page and written back with the next entry: an exit that
 * looks at them still costs one system call, but for the first one in a while. RIP
 * cannot be set while an instruction waits for a value (-EBUSY: hutch_vcpu_complete()
 * it first).
 *
 * Segment and control registers cost a system call to read, once per exit, unless
 * they are shared too (hutch_vcpu_share_sregs(); -EOPNOTSUPP where the hypervisor
 * cannot), which makes every exit a little dearer. They are set at once.
 */
int hutch_vcpu_get_regs(struct hutch_vcpu *vcpu, struct kvm_regs *regs);
int hutch_vcpu_set_regs(struct hutch_vcpu *vcpu, const struct kvm_regs *regs);
int hutch_vcpu_get_sregs(struct hutch_vcpu *vcpu, struct kvm_sregs *sregs);
int hutch_vcpu_set_sregs(struct hutch_vcpu *vcpu, const struct kvm_sregs *sregs);
int hutch_vcpu_share_sregs(struct hutch_vcpu *vcpu, bool share);

/*
 * Enters the guest once and returns at its next exit, decoded into @exit. Pending
 * results of the exit before are completed by the entry. Returns 0 for every exit,
 * also HUTCH_EXIT_INTERRUPTED; negative errno where KVM_RUN itself failed.
 */
int hutch_vcpu_enter(struct hutch_vcpu *vcpu, struct hutch_exit *exit);

/*
 * The catch block: enter, find the handler, do as it says, again. Returns 1 when a
 * handler aborted, -EINTR when nobody handled HUTCH_EXIT_INTERRUPTED, -ENOTSUP when
 * nobody handled another exit (hutch_vcpu_report() then tells all), a negative errno
 * when KVM_RUN failed. The last exit stays readable through hutch_vcpu_last_exit(),
 * and a further call goes on behind it.
 */
int hutch_vcpu_run(struct hutch_vcpu *vcpu);
const struct hutch_exit *hutch_vcpu_last_exit(const struct hutch_vcpu *vcpu);

/*
 * Finishes a pending access without running the guest, so that its state may be read
 * or set. Returns 0, or 1 where the instruction goes on to another access: that is
 * now the last exit and wants its own answer.
 */
int hutch_vcpu_complete(struct hutch_vcpu *vcpu);

/*
 * From any thread, and from signal handlers: the vCPU leaves the guest soon with
 * HUTCH_EXIT_INTERRUPTED; if it is not in the guest, its next entry does. Kicks that
 * come before that are one kick, and one that comes late may be reported once more.
 *
 * Uses a real-time signal, which is blocked in each thread that has entered a guest
 * except in KVM_RUN, and never delivered: no handler is installed. The other signals
 * that are open in the guest are those that the thread had open at its first entry.
 */
#define HUTCH_KICK_SIGNAL (SIGRTMIN + 1)
void hutch_vcpu_kick(struct hutch_vcpu *vcpu);

/*
 * For programs that own their process: gives HUTCH_KICK_SIGNAL a handler that does
 * nothing, once and for all, and leaves the signal open in the threads that enter a
 * guest. Each exit is cheaper then, as no signal mask changes on the way in and out; on
 * the other hand a kick may interrupt a system call that a handler of an exit is in.
 * To be called before any vCPU is entered (else -EBUSY).
 */
int hutch_use_signal_handler(void);

/* Exits so far by reason; from any thread (the figures may be a moment old). */
uint64_t hutch_vcpu_exits(const struct hutch_vcpu *vcpu, enum hutch_exit_reason reason);

/*
 * Writes the report of the last exit (reason, RIP, the bytes there, registers,
 * control registers, segments) as text of several lines into @buffer, always ended
 * by a zero byte. Returns the length it wanted, as snprintf() does.
 */
int hutch_vcpu_report(struct hutch_vcpu *vcpu, char *buffer, size_t size);

/* The registers alone, as they stand in the report; no vCPU is needed. */
int hutch_registers_text(const struct kvm_regs *regs, const struct kvm_sregs *sregs, char *buffer,
			 size_t size);

#ifdef __cplusplus
}
#endif
#endif
