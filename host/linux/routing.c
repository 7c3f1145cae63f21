/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/slab.h>
#include <linux/uaccess.h>

/*
 * Global system interrupts: a number that a VMM raises, an eventfd stands for or the timer
 * drives, and the table that says where it leads: inputs of the 8259A pair and the IOAPIC,
 * or a message (Linux, Documentation/virt/kvm/api.rst, 4.52).
 *
 * A table is made whole, takes the place of the one before, and is never changed: whoever
 * raises a line reads it without a lock.
 */

#define GSI_MAX	   4096 /* KVM_CAP_IRQ_ROUTING */
#define ROUTES_MAX 3	/* of one GSI: one for each controller */
#define PIC_INPUTS 8	/* of each of the two */

struct route {
	bool is_message;
	enum hv_controller controller;
	unsigned int input;
	uint64_t address;
	uint32_t data;
};

struct gsi {
	unsigned int count;
	struct route routes[ROUTES_MAX];
};

struct routing {
	struct rcu_head rcu;
	unsigned int count;
	struct gsi gsis[];
};

/* ---- in use ---------------------------------------------------------------------------- */

static int raise_message(struct hutch_vm *vm, const struct route *route, bool level)
{
	return level ? hv_irqchip_msi(&vm->hv, route->address, route->data) : HV_MASKED;
}

int routing_set(struct hutch_vm *vm, uint32_t number, enum hv_source source, bool level)
{
	const struct routing *routing;
	int result = HV_MASKED, one;
	struct gsi gsi = { 0 };
	unsigned int i;

	rcu_read_lock();
	routing = rcu_dereference(vm->routing);
	if (routing && number < routing->count)
		gsi = routing->gsis[number];
	rcu_read_unlock();
	for (i = 0; i < gsi.count; i++) {
		const struct route *route = &gsi.routes[i];

		one = route->is_message ? raise_message(vm, route, level)
					: hv_irqchip_set(&vm->hv, route->controller, route->input,
							 source, level);
		/* The sum of those that took it. */
		if (one >= 0)
			result = max(result, 0) + one;
	}
	return result;
}

/* The way of a message is short enough for any context. */
bool routing_try_message(struct hutch_vm *vm, uint32_t number)
{
	const struct routing *routing;
	const struct route *route;
	bool sent = false;

	rcu_read_lock();
	routing = rcu_dereference(vm->routing);
	if (routing && number < routing->count && routing->gsis[number].count == 1) {
		route = &routing->gsis[number].routes[0];
		sent = route->is_message &&
		       hv_irqchip_try_msi(&vm->hv, route->address, route->data);
	}
	rcu_read_unlock();
	return sent;
}

bool routing_leads(struct hutch_vm *vm, uint32_t number, enum hv_controller which,
		   unsigned int input)
{
	const struct routing *routing;
	bool found = false;
	unsigned int i;

	rcu_read_lock();
	routing = rcu_dereference(vm->routing);
	if (routing && number < routing->count)
		for (i = 0; i < routing->gsis[number].count; i++) {
			const struct route *route = &routing->gsis[number].routes[i];

			found = found || (!route->is_message && route->controller == which &&
					  route->input == input);
		}
	rcu_read_unlock();
	return found;
}

/* ---- making a table ------------------------------------------------------------------------ */

static struct routing *routing_new(unsigned int count)
{
	struct routing *routing = own_alloc(struct_size(routing, gsis, count));

	if (routing)
		routing->count = count;
	return routing;
}

/* One message alone, or one input of each controller. */
static int add_route(struct gsi *gsi, const struct route *route)
{
	const struct route *other;
	unsigned int i;

	for (i = 0; i < gsi->count; i++) {
		other = &gsi->routes[i];
		if (route->is_message || other->is_message)
			return -EINVAL;
		if (other->controller == route->controller &&
		    (route->controller == HV_IOAPIC ||
		     other->input / PIC_INPUTS == route->input / PIC_INPUTS))
			return -EINVAL;
	}
	gsi->routes[gsi->count++] = *route;
	return 0;
}

/* The 8254 is wired to GSI 0. */
static void route_timer(struct hutch_vm *vm, const struct routing *routing)
{
	uint32_t inputs[2] = { 0 };
	unsigned int i;

	for (i = 0; routing->count && i < routing->gsis[0].count; i++)
		if (!routing->gsis[0].routes[i].is_message)
			inputs[routing->gsis[0].routes[i].controller] |=
				1u << routing->gsis[0].routes[i].input;
	hv_irqchip_route_timer(&vm->hv, inputs[HV_PIC], inputs[HV_IOAPIC]);
}

static void free_later(struct rcu_head *rcu)
{
	own_free(container_of(rcu, struct routing, rcu));
}

static void replace(struct hutch_vm *vm, struct routing *routing)
{
	struct routing *before = rcu_dereference_protected(vm->routing, lockdep_is_held(&vm->lock));

	rcu_assign_pointer(vm->routing, routing);
	if (irqchip_exists(vm))
		route_timer(vm, routing);
	if (before)
		call_rcu(&before->rcu, free_later);
}

#define DEFAULT_PINS 24
#define DEFAULT_IRQS 16

int routing_start(struct hutch_vm *vm, bool split)
{
	struct routing *routing = routing_new(split ? 0 : DEFAULT_PINS);
	unsigned int i;

	if (!routing)
		return -ENOMEM;
	for (i = 0; i < routing->count; i++) {
		struct route route = { .controller = HV_IOAPIC, .input = i };

		add_route(&routing->gsis[i], &route);
		route.controller = HV_PIC;
		if (i < DEFAULT_IRQS)
			add_route(&routing->gsis[i], &route);
	}
	replace(vm, routing);
	return 0;
}

/* Nobody reads it any more, or nobody has begun to. */
void routing_destroy(struct hutch_vm *vm)
{
	own_free(rcu_dereference_protected(vm->routing, true));
	RCU_INIT_POINTER(vm->routing, NULL);
}

void routing_follow(struct hutch_vm *vm)
{
	route_timer(vm, rcu_dereference_protected(vm->routing, lockdep_is_held(&vm->lock)));
}

/* ---- KVM_SET_GSI_ROUTING ---------------------------------------------------------------------- */

static int input_from_kvm(const struct hutch_vm *vm, const struct kvm_irq_routing_irqchip *from,
			  struct route *route)
{
	uint32_t limit = from->irqchip == KVM_IRQCHIP_IOAPIC ? KVM_IOAPIC_NUM_PINS : PIC_INPUTS;

	if (vm->irqchip_kind != IRQCHIP_FULL || from->pin >= limit)
		return -EINVAL;
	route->controller = from->irqchip == KVM_IRQCHIP_IOAPIC ? HV_IOAPIC : HV_PIC;
	route->input = from->pin;
	switch (from->irqchip) {
	case KVM_IRQCHIP_PIC_SLAVE:
		route->input += PIC_INPUTS;
		return 0;
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_IOAPIC:
		return 0;
	}
	return -EINVAL;
}

static int message_from_kvm(const struct hutch_vm *vm, const struct kvm_irq_routing_msi *from,
			    struct route *route)
{
	/* Of the upper half only bits 31:8 have a meaning: the destination's. */
	if (vm->wide_apic_ids && from->address_hi & 0xff)
		return -EINVAL;
	route->is_message = true;
	route->address = from->address_lo | (uint64_t)from->address_hi << 32;
	route->data = from->data;
	return 0;
}

static int route_from_kvm(const struct hutch_vm *vm, const struct kvm_irq_routing_entry *from,
			  struct route *route)
{
	memset(route, 0, sizeof(*route));
	if (from->gsi >= GSI_MAX)
		return -EINVAL;
	switch (from->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return from->flags ? -EINVAL : input_from_kvm(vm, &from->u.irqchip, route);
	case KVM_IRQ_ROUTING_MSI:
		if (from->flags & ~KVM_MSI_VALID_DEVID)
			return -EINVAL;
		return message_from_kvm(vm, &from->u.msi, route);
	}
	return -EINVAL;
}

static struct routing *routing_from_kvm(struct hutch_vm *vm,
					const struct kvm_irq_routing_entry *entries,
					unsigned int count)
{
	unsigned int i, gsis = 0;
	struct routing *routing;
	struct route route;
	int error;

	for (i = 0; i < count; i++)
		if (entries[i].gsi < GSI_MAX)
			gsis = max(gsis, entries[i].gsi + 1);
	routing = routing_new(gsis);
	if (!routing)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < count; i++) {
		error = route_from_kvm(vm, &entries[i], &route);
		if (!error)
			error = add_route(&routing->gsis[entries[i].gsi], &route);
		if (error) {
			own_free(routing);
			return ERR_PTR(error);
		}
	}
	return routing;
}

VM_HANDLER(vm_set_gsi_routing)
{
	struct kvm_irq_routing __user *from = user_pointer(argument);
	struct kvm_irq_routing_entry *entries;
	struct kvm_irq_routing header;
	struct routing *routing;

	if (copy_from_user(&header, from, sizeof(header)))
		return -EFAULT;
	if (!irqchip_exists(vm) || header.nr > GSI_MAX || header.flags)
		return -EINVAL;
	entries = vmemdup_user(from->entries, array_size(sizeof(*entries), header.nr));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	mutex_lock(&vm->lock);
	routing = routing_from_kvm(vm, entries, header.nr);
	if (!IS_ERR(routing))
		replace(vm, routing);
	mutex_unlock(&vm->lock);
	kvfree(entries);
	return PTR_ERR_OR_ZERO(routing);
}
