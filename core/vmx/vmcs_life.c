/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/processor.h"

/*
 * A VMCS's life (SDM 3, 25.1). VMPTRLD makes it active and current on a CPU, which from
 * then on keeps parts of it to itself; another VMPTRLD there leaves it active, but not
 * current. Only VMCLEAR, on that same CPU, brings all of it back to memory: nothing else
 * lets it go to another CPU, lets its memory be freed, or VT-x be switched off.
 *
 * So a vCPU that comes back to its CPU costs at most a VMPTRLD, and one that moves costs
 * a call to the CPU it comes from. Each CPU knows what is active on it, by a list that
 * nobody else touches.
 */

struct life {
	struct vmx_vcpu *active;
	const struct vmx_vcpu *current;
};

static struct life *lives; /* by CPU */

int vmx_life_start(void)
{
	lives = host_alloc(host_cpu_count() * sizeof(*lives));
	return lives ? HOST_OK : HOST_ENOMEM;
}

void vmx_life_stop(void)
{
	host_free(lives, host_cpu_count() * sizeof(*lives));
	lives = NULL;
}

/* Interrupts off, on the CPU where it is active. */
static void end_here(struct vmx_vcpu *vmx)
{
	struct life *life = &lives[vmx->active_on];

	vmx_instruction_vmclear(vmx->vmcs_physical);
	vmx->launched = false;
	*vmx->link = vmx->next;
	if (vmx->next)
		vmx->next->link = vmx->link;
	if (life->current == vmx)
		life->current = NULL;
	__atomic_store_n(&vmx->active_on, VMX_NOWHERE, __ATOMIC_RELEASE);
}

/* Called on a CPU where it was active: that CPU may have ended it meanwhile. */
static void end_called(void *argument)
{
	struct vmx_vcpu *vmx = argument;

	if (vmx->active_on == host_cpu())
		end_here(vmx);
}

void vmx_life_end(struct vmx_vcpu *vmx)
{
	unsigned int cpu = __atomic_load_n(&vmx->active_on, __ATOMIC_ACQUIRE);

	/* A CPU that is gone has ended all on it before it went. */
	if (cpu != VMX_NOWHERE)
		host_call_on(cpu, end_called, vmx);
}

static void begin_here(struct vmx_vcpu *vmx, unsigned int cpu)
{
	struct life *life = &lives[cpu];

	/* What the processor has put into new memory, VMCLEAR alone knows (SDM 3, 25.11.3). */
	vmx_instruction_vmclear(vmx->vmcs_physical);
	vmx->launched = false;
	vmx->next = life->active;
	vmx->link = &life->active;
	if (vmx->next)
		vmx->next->link = &vmx->next;
	life->active = vmx;
	vmx->active_on = cpu;
}

bool vmx_life_load(struct vmx_vcpu *vmx, unsigned int cpu)
{
	uint64_t flags;
	bool was_current;

	/* Back where it was, with nobody in between: nothing but the CPU's end changes that. */
	if (vmx->active_on == cpu && lives[cpu].current == vmx)
		return true;
	if (vmx->active_on != cpu)
		vmx_life_end(vmx);
	flags = processor_interrupts_off();
	if (vmx->active_on != cpu)
		begin_here(vmx, cpu);
	was_current = lives[cpu].current == vmx;
	if (!was_current) {
		vmx_instruction_vmptrld(vmx->vmcs_physical);
		lives[cpu].current = vmx;
	}
	vmx->fields.readable = true;
	processor_interrupts_back(flags);
	return was_current;
}

void vmx_life_end_all(unsigned int cpu)
{
	struct vmx_vcpu *vmx;

	while ((vmx = lives[cpu].active)) {
		vmx_instruction_vmptrld(vmx->vmcs_physical);
		vmx_fields_read_all(&vmx->fields);
		vmx->fields.readable = false;
		end_here(vmx);
	}
}
