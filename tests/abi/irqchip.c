/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Interrupt controllers through the KVM ABI: lines, messages, eventfds, what is saved and
 * restored, what is refused. It asks any hypervisor the same, Linux's own KVM among them.
 *
 *	irqchip DEVICE
 *
 * The guest is in real mode, with DS at its local APIC. It halts; each of its interrupt
 * handlers writes the vector to a port and ends the interrupt. TAP on standard output.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#define RAM_SIZE     0x10000
#define HANDLERS     0x1000
#define HANDLER_SIZE 16
#define MAIN	     0x3000
#define STACK	     0x8000
#define PORT	     0xe9
#define LAPIC_GPA    0xfee00000
#define PATIENCE_US  200000

#define LEVEL	     (1ull << 15)
#define NOTHING	     (-1)

static int device, vm, vcpu;
static struct kvm_run *run;
static uint8_t *ram;
static unsigned int number, failures;

static void check(bool good, const char *what)
{
	printf("%s %u %s\n", good ? "ok" : "not ok", ++number, what);
	failures += !good;
}

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static int request(int fd, unsigned long code, void *argument)
{
	return ioctl(fd, code, argument) < 0 ? -errno : 0;
}

static void must(int fd, unsigned long code, void *argument, const char *what)
{
	if (ioctl(fd, code, argument) < 0)
		die(what);
}

/* ---- a machine --------------------------------------------------------------------------- */

static void write_guest(void)
{
	/*
	 * What an interrupt needs is touched first: not every emulated processor takes one up
	 * again whose delivery had to wait for memory.
	 */
	static const uint8_t halt[] = {
		0x2e, 0xa1, 0x00, 0x00, /* mov %cs:0, %ax */
		0x50, 0x58,		/* push %ax; pop %ax */
		0xfb, 0xf4, 0xeb, 0xfd, /* sti; 1: hlt; jmp 1b */
	};

	for (unsigned int v = 0; v < 256; v++) {
		const uint8_t handler[HANDLER_SIZE] = {
			0x50,		  /* push %ax */
			0xb0, (uint8_t)v, /* mov $v, %al */
			0xe6, PORT,	  /* out %al, $PORT */
			0x58,		  /* pop %ax */
			0x66, 0xc7,	  0x06, 0xb0, 0x00,
			0x00, 0x00,	  0x00, 0x00, /* movl $0, EOI */
			0xcf,			      /* iret */
		};
		uint16_t entry[2] = { (uint16_t)(HANDLERS + v * HANDLER_SIZE), 0 };

		memcpy(ram + HANDLERS + v * HANDLER_SIZE, handler, sizeof(handler));
		memcpy(ram + v * 4, entry, sizeof(entry));
	}
	memcpy(ram + MAIN, halt, sizeof(halt));
}

static void start_vcpu(void)
{
	struct kvm_regs regs = { .rip = MAIN, .rsp = STACK, .rflags = 2 };
	struct kvm_lapic_state lapic;
	struct kvm_sregs sregs;

	must(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.ds.base = LAPIC_GPA;
	must(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	must(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
	must(vcpu, KVM_GET_LAPIC, &lapic, "KVM_GET_LAPIC");
	memcpy(&lapic.regs[0xf0], &(uint32_t){ 0x1ff }, 4);
	must(vcpu, KVM_SET_LAPIC, &lapic, "KVM_SET_LAPIC");
}

static void open_vm(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE };

	vm = ioctl(device, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		die("mmap");
	region.userspace_addr = (uintptr_t)ram;
	must(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
	write_guest();
}

static void open_vcpu(void)
{
	int size = ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		die("KVM_CREATE_VCPU");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap of a vCPU");
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

/* The vector that the guest says next, or NOTHING for a while; other exits' numbers negative. */
static int next_vector(void)
{
	const struct itimerval patience = { .it_value.tv_usec = PATIENCE_US }, none = { 0 };
	int result;

	setitimer(ITIMER_REAL, &patience, NULL);
	result = ioctl(vcpu, KVM_RUN, 0);
	setitimer(ITIMER_REAL, &none, NULL);
	if (result < 0)
		return NOTHING;
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT)
		return *((uint8_t *)run + run->io.data_offset);
	return -100 - (int)run->exit_reason;
}

static void route_pin(unsigned int pin, uint64_t entry)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	must(vm, KVM_GET_IRQCHIP, &chip, "KVM_GET_IRQCHIP");
	chip.chip.ioapic.redirtbl[pin].bits = entry;
	must(vm, KVM_SET_IRQCHIP, &chip, "KVM_SET_IRQCHIP");
}

static void mask_pic(uint32_t id)
{
	struct kvm_irqchip chip = { .chip_id = id };

	must(vm, KVM_GET_IRQCHIP, &chip, "KVM_GET_IRQCHIP");
	chip.chip.pic.imr = 0xff;
	must(vm, KVM_SET_IRQCHIP, &chip, "KVM_SET_IRQCHIP");
}

static int line(unsigned int gsi, bool level)
{
	struct kvm_irq_level wanted = { .irq = gsi, .level = level };
	int error = request(vm, KVM_IRQ_LINE_STATUS, &wanted);

	return error ? error : wanted.status;
}

/* ---- routes -------------------------------------------------------------------------------- */

struct routes {
	struct kvm_irq_routing header;
	struct kvm_irq_routing_entry entries[4];
};

static struct kvm_irq_routing_entry to_pin(uint32_t gsi, uint32_t chip, uint32_t pin)
{
	return (struct kvm_irq_routing_entry){ .gsi = gsi,
					       .type = KVM_IRQ_ROUTING_IRQCHIP,
					       .u.irqchip = { chip, pin } };
}

static struct kvm_irq_routing_entry to_message(uint32_t gsi, uint32_t data)
{
	return (struct kvm_irq_routing_entry){ .gsi = gsi,
					       .type = KVM_IRQ_ROUTING_MSI,
					       .u.msi = { .address_lo = LAPIC_GPA, .data = data } };
}

static int set_routes(struct kvm_irq_routing_entry first, struct kvm_irq_routing_entry second)
{
	struct routes routes = { .header.nr = 2, .entries = { first, second } };

	return request(vm, KVM_SET_GSI_ROUTING, &routes);
}

static void test_routes(void)
{
	const struct kvm_irq_routing_entry good = to_pin(5, KVM_IRQCHIP_IOAPIC, 5);

	check(set_routes(good, to_pin(5, KVM_IRQCHIP_IOAPIC, 6)) == -EINVAL,
	      "a GSI leads to one input of a controller");
	check(set_routes(good, to_message(5, 0x50)) == -EINVAL, "or to a message, not to both");
	check(set_routes(good, to_pin(6, KVM_IRQCHIP_IOAPIC, 24)) == -EINVAL, "no 25th pin");
	check(set_routes(good, to_pin(6, KVM_IRQCHIP_PIC_SLAVE, 8)) == -EINVAL, "no ninth input");
	check(set_routes(good, to_pin(6, 7, 0)) == -EINVAL, "no such controller");
	check(set_routes(good, to_pin(4096, KVM_IRQCHIP_IOAPIC, 1)) == -EINVAL, "no such GSI");
	check(set_routes(good, to_message(24, 0x61)) == 0, "a line and a message");
	check(line(24, true) == 1, "the message is delivered");
	check(next_vector() == 0x61, "and taken");
	check(line(24, false) < 0 && next_vector() == NOTHING, "a falling line sends none");
	check(line(7, true) < 0, "a GSI that leads nowhere");
}

/* ---- lines and messages -------------------------------------------------------------------- */

static void test_lines(void)
{
	struct kvm_msi message = { .address_lo = LAPIC_GPA, .data = 0x52 };

	check(line(5, true) < 0, "a masked line");
	line(5, false);
	route_pin(5, 0x51);
	check(line(5, true) == 1, "a rising edge is delivered");
	check(next_vector() == 0x51, "and taken");
	check(next_vector() == NOTHING, "once");
	line(5, false);
	route_pin(5, 0x51 | LEVEL);
	line(5, true);
	check(next_vector() == 0x51, "a level comes");
	check(next_vector() == 0x51, "and comes again");
	line(5, false);
	next_vector();
	check(next_vector() == NOTHING, "until it falls");
	check(ioctl(vm, KVM_SIGNAL_MSI, &message) == 1, "a message is delivered to one");
	check(next_vector() == 0x52, "and taken");
	message.flags = 2;
	check(request(vm, KVM_SIGNAL_MSI, &message) == -EINVAL, "unknown flags");
	message.flags = 0;
	message.address_lo |= 9 << 12;
	check(ioctl(vm, KVM_SIGNAL_MSI, &message) <= 0, "a message to nobody");
}

/* ---- eventfds -------------------------------------------------------------------------------- */

static int irqfd(int fd, unsigned int gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd wanted = {
		.fd = (uint32_t)fd, .gsi = gsi, .flags = flags, .resamplefd = (uint32_t)resample
	};

	return request(vm, KVM_IRQFD, &wanted);
}

static void signal_event(int fd)
{
	if (eventfd_write(fd, 1))
		die("eventfd");
}

static bool is_signalled(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	eventfd_t count;

	return poll(&one, 1, PATIENCE_US / 1000) == 1 && !eventfd_read(fd, &count) && count >= 1;
}

static void test_irqfd(void)
{
	int event = eventfd(0, EFD_NONBLOCK), other = eventfd(0, 0);
	eventfd_t count;

	route_pin(5, 0x53);
	check(irqfd(-1, 5, 0, 0) == -EBADF, "an irqfd without an eventfd");
	check(irqfd(device, 5, 0, 0) == -EINVAL, "nor is the device one");
	check(irqfd(event, 5, 4, 0) == -EINVAL, "unknown flags");
	check(irqfd(event, 5, 0, 0) == 0, "an irqfd for a line");
	check(irqfd(event, 6, 0, 0) == -EBUSY, "an eventfd raises one GSI");
	signal_event(event);
	check(next_vector() == 0x53, "its signal is taken");
	check(eventfd_read(event, &count) < 0, "and used up");
	check(irqfd(other, 24, 0, 0) == 0, "an irqfd for a message");
	signal_event(other);
	check(next_vector() == 0x61, "its signal is taken");
	check(irqfd(event, 5, KVM_IRQFD_FLAG_DEASSIGN, 0) == 0, "taken back");
	signal_event(event);
	check(next_vector() == NOTHING, "it raises nothing");
	check(irqfd(event, 5, 0, 0) == 0, "given again, with a signal that waits");
	check(next_vector() == 0x53, "which is taken");
	close(event);
	close(other);
	check(next_vector() == NOTHING, "closed");
}

static void test_resample(void)
{
	int event = eventfd(0, 0), resample = eventfd(0, 0);

	route_pin(5, 0x54 | LEVEL);
	check(irqfd(event, 5, KVM_IRQFD_FLAG_RESAMPLE, resample) == 0, "an irqfd for a level");
	signal_event(event);
	check(next_vector() == 0x54, "its signal is taken");
	check(next_vector() == NOTHING, "once: its end lets the line fall");
	check(is_signalled(resample), "and is told");
	signal_event(event);
	check(next_vector() == 0x54, "the next is taken, too");
	line(5, true);
	check(next_vector() == 0x54, "the VMM's own level stays");
	line(5, false);
	next_vector();
	check(is_signalled(resample), "each end was told");
	check(irqfd(event, 5, KVM_IRQFD_FLAG_DEASSIGN, 0) == 0, "taken back");
	close(event);
	close(resample);
}

/* ---- saved and restored ------------------------------------------------------------------------ */

static bool chip_comes_back(uint32_t id)
{
	struct kvm_irqchip before = { .chip_id = id }, after = { .chip_id = id };

	must(vm, KVM_GET_IRQCHIP, &before, "KVM_GET_IRQCHIP");
	must(vm, KVM_SET_IRQCHIP, &before, "KVM_SET_IRQCHIP");
	must(vm, KVM_GET_IRQCHIP, &after, "KVM_GET_IRQCHIP");
	return !memcmp(before.chip.dummy, after.chip.dummy, sizeof(before.chip.dummy));
}

static bool lapic_comes_back(void)
{
	struct kvm_lapic_state before, after;

	must(vcpu, KVM_GET_LAPIC, &before, "KVM_GET_LAPIC");
	must(vcpu, KVM_SET_LAPIC, &before, "KVM_SET_LAPIC");
	must(vcpu, KVM_GET_LAPIC, &after, "KVM_GET_LAPIC");
	return !memcmp(&before, &after, sizeof(before));
}

static bool pit_comes_back(void)
{
	struct kvm_pit_state2 before, after;

	must(vm, KVM_GET_PIT2, &before, "KVM_GET_PIT2");
	before.channels[0].mode = 2;
	before.channels[0].rw_mode = 3;
	before.channels[0].count = 0x1234;
	must(vm, KVM_SET_PIT2, &before, "KVM_SET_PIT2");
	must(vm, KVM_GET_PIT2, &after, "KVM_GET_PIT2");
	return after.channels[0].mode == 2 && after.channels[0].count == 0x1234 &&
	       after.channels[0].rw_mode == 3 && after.channels[2].gate == before.channels[2].gate;
}

static void test_state(void)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_HALTED };
	struct kvm_irqchip none = { .chip_id = 3 };

	for (uint32_t id = KVM_IRQCHIP_PIC_MASTER; id <= KVM_IRQCHIP_IOAPIC; id++)
		check(chip_comes_back(id), "a controller's state comes back");
	check(request(vm, KVM_GET_IRQCHIP, &none) == -EINVAL, "there is no fourth");
	check(lapic_comes_back(), "the local APIC's state comes back");
	check(pit_comes_back(), "the timer's state comes back");
	check(request(vcpu, KVM_SET_MP_STATE, &state) == 0 &&
		      request(vcpu, KVM_GET_MP_STATE, &state) == 0 &&
		      state.mp_state == KVM_MP_STATE_HALTED,
	      "a vCPU halts");
	state.mp_state = KVM_MP_STATE_RUNNABLE;
	check(request(vcpu, KVM_SET_MP_STATE, &state) == 0, "and runs");
}

/* ---- from nothing to a machine ------------------------------------------------------------------- */

static void test_without(void)
{
	struct routes routes = { .header.nr = 0 };
	struct kvm_msi message = { 0 };
	int event = eventfd(0, 0);

	open_vm();
	check(line(1, true) == -ENXIO, "no lines without controllers");
	check(request(vm, KVM_SIGNAL_MSI, &message) == -EINVAL, "no messages");
	check(request(vm, KVM_SET_GSI_ROUTING, &routes) == -EINVAL, "no routes");
	check(irqfd(event, 1, 0, 0) == -EINVAL, "no irqfds");
	open_vcpu();
	check(request(vm, KVM_CREATE_IRQCHIP, NULL) == -EINVAL, "no controllers after a vCPU");
	close(event);
	close(vcpu);
	close(vm);
}

static void test_with(void)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct kvm_interrupt vector = { .irq = 0x30 };

	open_vm();
	check(request(vm, KVM_CREATE_IRQCHIP, NULL) == 0, "controllers");
	check(request(vm, KVM_CREATE_IRQCHIP, NULL) == -EEXIST, "once");
	check(request(vm, KVM_CREATE_PIT2, &pit) == 0, "a timer");
	check(request(vm, KVM_CREATE_PIT2, &pit) == -EEXIST, "once");
	open_vcpu();
	check(request(vcpu, KVM_INTERRUPT, &vector) == -ENXIO, "no vectors from the VMM");
	start_vcpu();
	mask_pic(KVM_IRQCHIP_PIC_MASTER);
	mask_pic(KVM_IRQCHIP_PIC_SLAVE);
	check(next_vector() == NOTHING, "a guest that halts");
	test_lines();
	test_routes();
	test_irqfd();
	test_resample();
	test_state();
}

int main(int count, char **words)
{
	const struct sigaction action = { .sa_handler = on_alarm };

	if (count != 2) {
		fprintf(stderr, "usage: irqchip DEVICE\n");
		return 2;
	}
	sigaction(SIGALRM, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	device = open(words[1], O_RDWR | O_CLOEXEC);
	if (device < 0)
		die(words[1]);
	test_without();
	test_with();
	printf("1..%u\n", number);
	return failures != 0;
}
