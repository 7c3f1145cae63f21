/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The least that a program can do to start the machine that `hutch run` starts: the
 * same ioctls in the same order, with the same memory and the same wires, and nothing
 * around them. bench/start compares the two, and says if their ioctls have drifted
 * apart.
 */

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_SIZE (512u << 20)
#define HOLE	    0xa0000u
#define HOLE_END    0xc0000u
#define CODE	    0x7c00
#define PORT	    0xf4
#define CPUID_MAX   128

static const uint8_t code[] = {
	0xb0, 0x00, /* mov al, 0 */
	0xe6, PORT, /* out PORT, al */
	0xf4,	    /* hlt */
};

static int ask(int fd, unsigned long request, void *argument)
{
	int answer = ioctl(fd, request, argument);

	if (answer < 0)
		_exit(1);
	return answer;
}

static unsigned long capability(int kvm, unsigned long number)
{
	return (unsigned long)ask(kvm, KVM_CHECK_EXTENSION, (void *)number);
}

static void add_memory(int vm, uint32_t slot, uint8_t *memory, uint64_t first, uint64_t end)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = first,
		.memory_size = end - first,
		.userspace_addr = (uintptr_t)memory + first,
	};

	ask(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void route_wires(int vm)
{
	struct {
		struct kvm_irq_routing header;
		struct kvm_irq_routing_entry entries[40];
	} table = { 0 };
	struct kvm_irq_routing_entry *entry = table.entries;

	for (unsigned int gsi = 0; gsi < 24; gsi++) {
		if (gsi == 2)
			continue;
		*entry++ = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2 },
		};
		if (gsi >= 16)
			continue;
		*entry++ = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				       gsi % 8 },
		};
	}
	table.header.nr = (uint32_t)(entry - table.entries);
	ask(vm, KVM_SET_GSI_ROUTING, &table);
}

static int make_machine(int kvm)
{
	int vm = ask(kvm, KVM_CREATE_VM, NULL);
	uint64_t identity_map = 0xfffbc000;
	uint8_t *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_irq_level line = { .irq = 0 };

	if (memory == MAP_FAILED)
		_exit(1);
	memcpy(memory + CODE, code, sizeof(code));
	ask(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	ask(vm, KVM_SET_TSS_ADDR, (void *)0xfffbd000);
	add_memory(vm, 0, memory, 0, HOLE);
	add_memory(vm, 1, memory, HOLE_END, MEMORY_SIZE);
	ask(vm, KVM_CREATE_IRQCHIP, NULL);
	route_wires(vm);
	capability(kvm, KVM_CAP_TSC_DEADLINE_TIMER);
	ask(vm, KVM_IRQ_LINE, &line);
	return vm;
}

static void set_up_vcpu(int vcpu, struct kvm_cpuid2 *cpuid)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[2];
	} msrs = {
		{ .nmsrs = 2 },
		{ { .index = 0x1a0, .data = 1 }, { .index = 0x2ff, .data = 0xc06 } },
	};
	struct kvm_segment data = { .limit = 0xffff, .type = 3, .s = 1, .present = 1 };
	struct kvm_sregs sregs = {
		.cr0 = 0x10,
		.cs = { .limit = 0xffff, .type = 11, .s = 1, .present = 1 },
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = { .limit = 0xffff, .type = 11, .present = 1 },
		.ldt = { .limit = 0xffff, .type = 2, .present = 1 },
		.gdt.limit = 0xffff,
		.idt.limit = 0xffff,
		.apic_base = 0xfee00900,
	};
	struct kvm_regs regs = { .rip = CODE, .rsp = CODE, .rflags = 2 };

	ask(vcpu, KVM_SET_CPUID2, cpuid);
	ask(vcpu, KVM_SET_MSRS, &msrs);
	ask(vcpu, KVM_SET_SREGS, &sregs);
	ask(vcpu, KVM_SET_REGS, &regs);
}

int main(void)
{
	static struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[CPUID_MAX];
	} cpuid = { .header.nent = CPUID_MAX };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	struct kvm_run *run;
	size_t size;

	if (kvm < 0 || ask(kvm, KVM_GET_API_VERSION, NULL) != KVM_API_VERSION)
		return 1;
	size = (size_t)ask(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	capability(kvm, KVM_CAP_IMMEDIATE_EXIT);
	capability(kvm, KVM_CAP_SYNC_REGS);
	vm = make_machine(kvm);
	ask(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	vcpu = ask(vm, KVM_CREATE_VCPU, NULL);
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return 1;
	set_up_vcpu(vcpu, &cpuid.header);
	ask(vcpu, KVM_RUN, NULL);
	return run->exit_reason != KVM_EXIT_IO || run->io.port != PORT;
}
