/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

/*
 * /sys/kernel/debug/hutch: how often each reason made a guest leave.
 *
 *	<pid>-<number>/exits		of the VM that this process made
 *	<pid>-<number>/vcpu<n>		of one vCPU
 *
 * The counters are written without a lock, by the vCPU's thread; a reader may see one
 * that is a moment old.
 */

static struct dentry *root;
static atomic_t vm_number;

static void show_counters(struct seq_file *file, const uint64_t *exits)
{
	unsigned int reason;

	for (reason = 0; reason < HV_EXIT_COUNT; reason++)
		if (exits[reason])
			seq_printf(file, "%s %llu\n", hv_exit_name(reason), exits[reason]);
}

static void add_counters(uint64_t *sum, const struct hv_vcpu *vcpu)
{
	unsigned int reason;

	for (reason = 0; reason < HV_EXIT_COUNT; reason++)
		sum[reason] += READ_ONCE(vcpu->exits[reason]);
}

static int vcpu_show(struct seq_file *file, void *unused)
{
	const struct hutch_vcpu *vcpu = file->private;
	uint64_t sum[HV_EXIT_COUNT] = { 0 };

	add_counters(sum, &vcpu->hv);
	show_counters(file, sum);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcpu);

static int vm_show(struct seq_file *file, void *unused)
{
	const struct hutch_vm *vm = file->private;
	unsigned int i, count = smp_load_acquire(&vm->hv.vcpu_count);
	uint64_t sum[HV_EXIT_COUNT] = { 0 };

	for (i = 0; i < count; i++)
		add_counters(sum, vm->hv.vcpus[i]);
	show_counters(file, sum);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vm);

void debug_init(void)
{
	root = debugfs_create_dir(hutch_name, NULL);
}

void debug_exit(void)
{
	debugfs_remove(root);
}

/* A file that could not be made is one figure less, and no reason to run no guest. */
void debug_add_vm(struct hutch_vm *vm)
{
	char name[32];

	snprintf(name, sizeof(name), "%d-%d", task_tgid_nr(current), atomic_inc_return(&vm_number));
	vm->directory = debugfs_create_dir(name, root);
	debugfs_create_file("exits", 0444, vm->directory, vm, &vm_fops);
}

/* When it returns nobody reads any of its files. */
void debug_remove_vm(struct hutch_vm *vm)
{
	debugfs_remove(vm->directory);
}

void debug_add_vcpu(struct hutch_vcpu *vcpu)
{
	char name[32];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->hv.id);
	debugfs_create_file(name, 0444, vcpu->vm->directory, vcpu, &vcpu_fops);
}
