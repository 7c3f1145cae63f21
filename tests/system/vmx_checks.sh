#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# The command on an Intel processor with VT-x, emulated by Bochs. There is neither
# Python nor the host's files in that bed, and its processor is slow: one boot, one
# script for busybox, one TAP line for each check. What is checked more deeply, and
# how, is in test_guests.py.

hutch=${HUTCH_BUILD:-build}/hutch
guests=${HUTCH_BUILD:-build}/guests
number=0
output=/tmp/output

# check NAME COMMAND...: the command succeeds; its output is shown where it does not.
check() {
	title=$1
	shift
	number=$((number + 1))
	if "$@" >$output 2>&1; then
		echo "ok $number $title"
	else
		echo "not ok $number $title"
		tail -n 20 $output | sed 's/^/# /'
	fi
}

# payload IRQCHIP NAME WORDS...: a payload that checks itself.
payload() {
	controllers=$1 image=$2
	shift 2
	"$hutch" run --mem 64M --irqchip "$controllers" --append "$*" "$guests/$image" &&
		grep -q '^1\.\.' $output && ! grep -q '^not ok' $output
}

processors() {
	"$hutch" run --mem 64M --irqchip "$1" --cpus 2 --append "cpus=2 interrupts" "$guests/smp"
}

says_hello() {
	[ "$("$hutch" run --flat "$1" "$guests/hello_$1.bin")" = hello ]
}

counts() {
	"$hutch" run --stats --flat "$1" "$guests/count_$1.bin" 2>&1 | grep '^io  *1000 '
}

# linux IRQCHIP: Debian's kernel, which checks its machine from inside (bed/guest/init).
linux() {
	"$hutch" run --mem 256M --irqchip "$1" --cpus 2 --initrd "$HUTCH_INITRAMFS" \
		--append "console=ttyS0 panic=-1 hutch.selfcheck hutch.cpus=2 hutch.memory=256" \
		"$HUTCH_KERNEL" && grep '^selfcheck: [1-9][0-9]* passed, 0 failed' $output
}

triple_faults() {
	"$hutch" run --flat "$1" "$guests/triple_fault_$1.bin" 2>&1 | grep 'triple fault'
}

check "ring 0 is native" sh -c "$hutch info --json | grep native"
for mode in 16 32 64; do
	check "hello in $mode bits" says_hello $mode
	check "each OUT is one exit in $mode bits" counts $mode
	check "a triple fault is reported in $mode bits" triple_faults $mode
done
# KVM for VT-x swallows a deadline's write before a filter sees it (vmm/irqchip_user_msr.c).
check "x2APIC, kernel" payload kernel x2apic interrupts
check "x2APIC, user" payload user x2apic interrupts no-deadline
for irqchip in kernel user; do
	check "interrupts, $irqchip" payload $irqchip interrupts
	check "flooded interrupt controllers, $irqchip" payload $irqchip irq_flood interrupts rounds=2000
	check "addresses without memory, $irqchip" payload $irqchip mmio
	check "two processors, $irqchip" processors $irqchip
	check "Linux, $irqchip" linux $irqchip
	check "reset, $irqchip" payload $irqchip reset keyboard acpi
done
check "exceptions" payload kernel exceptions
echo "1..$number"
