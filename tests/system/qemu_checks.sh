#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# An unmodified QEMU on our own hypervisor, which is there as /dev/kvm: Debian's kernel boots,
# checks its machine from inside (bed/guest/init) and powers off. One boot of a bed that has
# the host's files, one TAP line for each machine.
#
#	HUTCH_KERNEL, HUTCH_INITRAMFS	Debian's, for the inner guest (bed/bed)
#	HUTCH_APPEND			for that kernel: what the emulator can't do
#	HUTCH_MACHINES			those that are booted ("pc split off q35 microvm")

# shellcheck source=tests/system/tap.sh
. "${0%/*}/tap.sh"

# boots CPUS MEMORY MACHINE: to its end, with nothing amiss on the way.
boots() {
	timeout 300 qemu-system-x86_64 -accel kvm -cpu max -machine "$3" -smp "$1" -m "$2" \
		-nodefaults -display none -no-reboot -serial stdio \
		-kernel "$HUTCH_KERNEL" -initrd "$HUTCH_INITRAMFS" \
		-append "console=ttyS0 panic=-1 hutch.selfcheck hutch.cpus=$1 hutch.memory=$2 $HUTCH_APPEND" \
		</dev/null && grep -q '^selfcheck: [1-9][0-9]* passed, 0 failed' $output
}

# machine WORD TITLE CPUS MACHINE: if it is wanted
machine() {
	case " ${HUTCH_MACHINES:-$1} " in
	*" $1 "*) check "QEMU, $2" boots "$3" 256 "$4" ;;
	esac
}

machine pc "pc" 2 pc,kernel-irqchip=on
machine split "pc, a split irqchip" 1 pc,kernel-irqchip=split
machine off "pc, an irqchip of its own" 1 pc,kernel-irqchip=off
machine q35 "q35" 2 q35,kernel-irqchip=on
machine microvm "microvm" 2 microvm,rtc=on
check "the kernel's log has no complaint" log_is_clean
check "the module leaves" rmmod hutch
echo "1..$number"
