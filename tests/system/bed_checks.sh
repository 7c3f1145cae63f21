#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# The command on an emulated processor, over any hypervisor: Linux's KVM or our own core.
# Some beds have neither Python nor the host's files, and a slow processor: one boot, one
# script for busybox, one TAP line for each check. What is checked more deeply, and how,
# is in test_guests.py.
#
#	HUTCH_BUILD		where the command and the guests are (build)
#	HUTCH_DEVICE		the hypervisor (/dev/kvm)
#	HUTCH_IRQCHIPS		where interrupt controllers can be ("kernel user")
#	HUTCH_WORDS		for every payload that checks itself
#	HUTCH_APPEND		for Debian's kernel: what the emulator can't do
#	HUTCH_NO_TRIPLE_FAULTS	why the emulator does not survive a guest's
#	HUTCH_NO_BREAKPOINTS	why a VMM's breakpoints are not hit
#	HUTCH_NO_ANY_GUEST	why not every guest can be left again
#	HUTCH_CALLS		of our own hypervisor's ABI, at random (10000)
#	HUTCH_KERNEL, HUTCH_INITRAMFS	Debian's, for an inner guest (bed/bed)

# shellcheck source=tests/system/tap.sh
. "${0%/*}/tap.sh"

hutch=${HUTCH_BUILD:-build}/hutch
guests=${HUTCH_BUILD:-build}/guests
device=${HUTCH_DEVICE:-/dev/kvm}

run() {
	"$hutch" run --hypervisor "$device" "$@"
}

# flat MODE IMAGE: a payload without a loader, on the first of the controllers.
flat() {
	run --irqchip "${irqchips%% *}" --flat "$1" "$guests/$2_$1.bin"
}

# payload IRQCHIP NAME WORDS...: a payload that checks itself.
payload() {
	controllers=$1 image=$2
	shift 2
	run --mem 64M --irqchip "$controllers" --append "$* $HUTCH_WORDS" "$guests/$image" &&
		grep -q '^1\.\.' $output && ! grep -q '^not ok' $output
}

# modes IRQCHIP: from real mode to protected mode and back.
modes() {
	run --irqchip "$1" --flat 16 "$guests/boot/modes.bin" && grep -q '^boot modes: ok' $output
}

firmware() {
	run --irqchip "${irqchips%% *}" --firmware "$guests/boot/firmware.bin" &&
		grep -q '^boot firmware: ok' $output
}

processors() {
	run --mem 64M --irqchip "$1" --cpus 2 --append "cpus=2 interrupts $HUTCH_WORDS" "$guests/smp"
}

# linux IRQCHIP: Debian's kernel, which checks its machine from inside (bed/guest/init).
linux() {
	run --mem 256M --irqchip "$1" --cpus 2 --initrd "$HUTCH_INITRAMFS" \
		--append "console=ttyS0 panic=-1 hutch.selfcheck hutch.cpus=2 hutch.memory=256 $HUTCH_APPEND" \
		"$HUTCH_KERNEL" && grep -q '^selfcheck: [1-9][0-9]* passed, 0 failed' $output
}

native() {
	"$hutch" info --hypervisor "$device" --json | grep native
}

says_hello() {
	[ "$(flat "$1" hello)" = hello ]
}

counts() {
	run --irqchip "${irqchips%% *}" --stats --flat "$1" "$guests/count_$1.bin" 2>&1 |
		grep '^io  *1000 '
}

triple_faults() {
	flat "$1" triple_fault 2>&1 | grep 'triple fault'
}

# ---- of our own hypervisor alone

# abi CLIENT WORDS...: these have a TAP of their own.
abi() {
	client=$1
	shift
	"${HUTCH_BUILD:-build}/abi/$client" "$device" "$@" && ! grep -q '^not ok' $output
}

abi_dirty_log() {
	"${HUTCH_BUILD:-build}/abi/dirty_log" "$device"
}

# With all checks of the module's own, where its file is at hand.
abi_any() {
	module=${HUTCH_BUILD:-build}/hutch.ko
	[ ! -e "$module" ] || { rmmod hutch && insmod "$module" debug=1; } || return
	"${HUTCH_BUILD:-build}/abi/fuzz" "$device" "${HUTCH_CALLS:-10000}" && grep -q '^still here' $output
}

# Each exit is one line of the kernel's trace.
traces() {
	tracing=/sys/kernel/tracing
	[ -d $tracing/events ] || mount -t tracefs tracefs $tracing || return
	echo >$tracing/trace
	echo 1 >$tracing/events/hutch/enable
	counts 64
	echo 0 >$tracing/events/hutch/enable
	[ "$(grep -c 'hutch_exit: .* reason IO ' $tracing/trace)" -ge 1000 ] &&
		[ "$(grep -c 'hutch_call: .* reason IO ' $tracing/trace)" -ge 1000 ]
}

unloads() {
	rmmod hutch && [ ! -e "$device" ]
}

irqchips=${HUTCH_IRQCHIPS:-kernel user}
check "ring 0 is native" native
for mode in 16 32 64; do
	check "hello in $mode bits" says_hello $mode
	check "each OUT is one exit in $mode bits" counts $mode
	if [ -n "$HUTCH_NO_TRIPLE_FAULTS" ]; then
		echo "# a triple fault in $mode bits is the other beds' to check: $HUTCH_NO_TRIPLE_FAULTS"
	else
		check "a triple fault is reported in $mode bits" triple_faults $mode
	fi
done
check "firmware below 4 GiB and below 1 MiB" firmware
for irqchip in $irqchips; do
	check "through the modes, $irqchip" modes "$irqchip"
	# KVM for VT-x swallows a deadline's write before a filter sees it (vmm/irqchip_user_msr.c).
	deadline=
	[ $irqchip = kernel ] || [ "$device" != /dev/kvm ] || deadline=no-deadline
	check "x2APIC, $irqchip" payload $irqchip x2apic interrupts $deadline
	check "interrupts, $irqchip" payload $irqchip interrupts
	check "flooded interrupt controllers, $irqchip" payload $irqchip irq_flood interrupts rounds=2000
	check "addresses without memory, $irqchip" payload $irqchip mmio
	check "ports, $irqchip" payload $irqchip ports
	check "two processors, $irqchip" processors $irqchip
	check "reset, $irqchip" payload $irqchip reset keyboard acpi
	check "exceptions, $irqchip" payload $irqchip exceptions
	check "Linux, $irqchip" linux $irqchip
done
if [ "$device" = /dev/hutch ]; then
	check "interrupt controllers through the KVM ABI" abi irqchip
	check "the log of written pages through the KVM ABI" abi_dirty_log
	check "time through the KVM ABI" abi time
	check "machine checks through the KVM ABI" abi machine_check
	check "a filter of MSRs through the KVM ABI" abi msr_filter
	# shellcheck disable=SC2086 # each is a word
	check "nothing of a guest's leaks" abi leaks $HUTCH_WORDS
	if [ -n "$HUTCH_NO_BREAKPOINTS" ]; then
		echo "# a VMM's breakpoints are the other bed's to check: $HUTCH_NO_BREAKPOINTS"
	else
		check "a VMM's breakpoints" abi breakpoints
	fi
	check "each exit is told to who traces" traces
	if [ -n "$HUTCH_NO_ANY_GUEST" ]; then
		echo "# any ioctl in any order is the other beds' to check: $HUTCH_NO_ANY_GUEST"
	else
		check "any ioctl in any order" abi_any
	fi
	check "the kernel's log has no complaint" log_is_clean
	check "the module leaves" unloads
fi
echo "1..$number"
