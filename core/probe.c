/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/cpu.h"
#include "core/extended_state.h"
#include "core/processor.h"
#include "core/text.h"

/*
 * Which processor this is, and switching its virtualization on and off. The vendor's name
 * decides nothing: each is asked whether it can.
 */

static const struct hv_cpu_ops *const processors[] = { &svm_ops, &vmx_ops };

#define PROCESSORS (sizeof(processors) / sizeof(processors[0]))

struct hv_options hv_options = {
	.apic_virtualization = -1,
	.write_log = true,
	.unrestricted_guest = true,
	.preemption_timer = true,
};

const struct hv_cpu_ops *hv_probe(char *why, size_t size)
{
	/* The reason that counts is that of the kind of processor which is here. */
	for (unsigned int i = 0; i < PROCESSORS; i++)
		if (processors[i]->exists())
			return processors[i]->probe(why, size) ? processors[i] : NULL;
	text_copy(why, size, "the processor has neither AMD-V nor VT-x");
	return NULL;
}

int hv_start(const struct hv_cpu_ops *ops)
{
	extended_state_start();
	return ops->start();
}

void hv_stop(const struct hv_cpu_ops *ops)
{
	ops->stop();
}

int hv_cpu_enable(const struct hv_cpu_ops *ops)
{
	return ops->enable(host_cpu());
}

void hv_cpu_disable(const struct hv_cpu_ops *ops)
{
	ops->disable(host_cpu());
}
