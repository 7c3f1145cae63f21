#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# The life of our module on an emulated processor: it comes and goes, with VMs in between,
# beside another hypervisor, while CPUs go away and while the machine sleeps; and what it
# leaves behind is nothing. One boot, one TAP line for each check. The module isn't loaded
# at the beginning; Linux's kvm and the msr driver may be.
#
#	HUTCH_BUILD	where the module, the command and the guests are (build)
#	HUTCH_CYCLES	how often the module comes and goes (100)

# The files of a bed that come over 9p are out of reach once the machine has slept: all goes on in a
# place of its own, which is memory.
room=/dev/shm/room
if grep -q ' / overlay ' /proc/mounts && [ ! -e /in-the-room ]; then
	mkdir -p $room/bin $room/build/guests $room/build/abi $room/dev $room/proc $room/sys $room/tmp
	cp "$(command -v busybox)" $room/bin && chroot $room /bin/busybox --install -s /bin
	cp "$HUTCH_BUILD/hutch" "$HUTCH_BUILD/hutch.ko" $room/build
	cp "$HUTCH_BUILD/abi/leaks" $room/build/abi
	cp "$HUTCH_BUILD"/guests/*.bin "$HUTCH_BUILD/guests/smp" $room/build/guests
	for folder in dev proc sys; do
		mount --rbind /$folder $room/$folder
	done
	cp "$0" $room/in-the-room
	cp "${0%/*}/tap.sh" $room
	HUTCH_BUILD=/build exec chroot $room /bin/sh /in-the-room
fi
# shellcheck source=tests/system/tap.sh
. "${0%/*}/tap.sh"

build=${HUTCH_BUILD:-build}
hutch=$build/hutch
guests=$build/guests
device=/dev/hutch
cycles=${HUTCH_CYCLES:-100}
online=/sys/devices/system/cpu/cpu1/online

load() {
	insmod "$build/hutch.ko" debug=1
}

# said WORDS: how many lines of the kernel's log have them.
said() {
	dmesg | grep -c "$1"
}

run() {
	"$hutch" run --hypervisor $device "$@"
}

says_hello() {
	[ "$(run --irqchip kernel --flat 64 "$guests/hello_64.bin")" = hello ]
}

# begin [OPTION...]: a VM that runs until end().
begin() {
	"$hutch" run --hypervisor $device --irqchip kernel "$@" --flat 64 "$guests/spin_64.bin" </dev/null >/dev/null 2>&1 &
	vm=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		sleep 0.1
		for descriptor in /proc/$vm/fd/*; do
			[ "$(readlink "$descriptor")" = anon_inode:hutch-vcpu ] && return
		done
	done
	echo "no VM runs"
	return 1
}

end() {
	kill -KILL $vm
	wait $vm
	[ $? = 137 ]
}

# ---- it comes and goes

read_efer() {
	dd if="$1" bs=8 count=1 iflag=skip_bytes skip=3221225600 2>/dev/null | od -An -tu8 | tr -d ' '
}

# write_efer VALUE: on the second CPU.
write_efer() {
	value=$1
	bytes=
	for _ in 1 2 3 4 5 6 7 8; do
		bytes=$bytes\\$(printf %03o $((value & 255)))
		value=$((value >> 8))
	done
	printf "$bytes" | dd of=/dev/cpu/1/msr bs=8 oflag=seek_bytes seek=3221225600 conv=notrunc
}

# All CPUs' EFER has SVME (bit 12) where it is there at all; VMX leaves no trace in an MSR,
# but there the next load would be refused.
is_switched_off() {
	for msr in /dev/cpu/[0-9]*/msr; do
		efer=$(read_efer "$msr")
		echo "$msr: EFER $efer"
		[ -n "$efer" ] && [ $((efer >> 12 & 1)) = 0 ] || return 1
	done
}

cycle() {
	load || return
	if [ $((at % 10)) = 0 ]; then
		run --mem 64M --irqchip kernel --cpus 2 --append "cpus=2" "$guests/smp" || return
	else
		says_hello || return
	fi
	rmmod hutch && [ ! -e $device ]
}

# kilobytes of the kernel's own memory: what could leak
own_memory() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^(Slab|VmallocUsed|Percpu|KernelStack):/ { sum += $2 } END { print sum }' /proc/meminfo
}

comes_and_goes() {
	at=0
	before=$(said 'hutch: gone, and nothing is left')
	while [ $at -lt "$cycles" ]; do
		cycle || return
		is_switched_off || return
		at=$((at + 1))
		[ $at = $((cycles / 2)) ] && warm=$(own_memory)
	done
	echo "$(said 'hutch: gone, and nothing is left') farewells, $before before"
	[ $(($(said 'hutch: gone, and nothing is left') - before)) = "$cycles" ] || return
	echo "$warm kB after half of them, $(own_memory) kB after all"
	# Exact is the module's own count; the rest of the kernel breathes by this much.
	[ $(($(own_memory) - warm)) -lt 2048 ] || return
	! grep hutch /proc/vmallocinfo
}

stays_while_a_vm_is_open() {
	load && begin || return
	rmmod hutch && return 1
	end && rmmod hutch
}

# ---- beside Linux's KVM

has_kvm() {
	[ -e /dev/kvm ]
}

kvm() {
	"$hutch" run --hypervisor /dev/kvm --irqchip kernel --flat 64 "$guests/$1.bin"
}

# KVM has the processor while it has a VM.
gives_way_to_kvm() {
	"$hutch" run --hypervisor /dev/kvm --flat 64 "$guests/spin_64.bin" </dev/null >/dev/null 2>&1 &
	vm=$!
	sleep 1
	load && return 1
	dmesg | tail -n 3 | grep 'hutch: CPU [0-9]*: .* another hypervisor has it' || return
	end && [ ! -e $device ] && [ "$(kvm hello_64)" = hello ]
}

# And we have it while we are there.
keeps_kvm_out() {
	load || return
	kvm hello_64 && return 1
	says_hello && rmmod hutch && [ "$(kvm hello_64)" = hello ]
}

# ---- CPUs go and come back

has_two_cpus() {
	[ -e $online ]
}

unplugged_without_vms() {
	load && echo 0 >$online && says_hello && echo 1 >$online && says_hello && rmmod hutch &&
		is_switched_off
}

unplugged_under_a_vm() {
	load && begin --cpus 2 || return
	for _ in 1 2 3 4 5; do
		echo 0 >$online && sleep 0.2 && echo 1 >$online && sleep 0.2 || return
	done
	grep '^[A-Z].*[1-9]' /sys/kernel/debug/hutch/*/exits | head -n 3
	end && says_hello && rmmod hutch && is_switched_off
}

# The second CPU looks as if another hypervisor had it: the first is given back as well.
unwinds() {
	efer=$(read_efer /dev/cpu/1/msr)
	write_efer $((efer | 4096))
	load
	loaded=$?
	write_efer "$efer"
	[ $loaded != 0 ] && dmesg | tail -n 3 | grep 'hutch: CPU 1: .* another hypervisor has it' &&
		is_switched_off && load && says_hello && rmmod hutch
}

# The host's LDT, too, which needs a second CPU.
nothing_leaks() {
	load && "$build/abi/leaks" $device && rmmod hutch && grep -q '^ok 6 an LDT' $output
}

comes_while_a_cpu_is_away() {
	echo 0 >$online && load && says_hello && echo 1 >$online && says_hello && rmmod hutch &&
		is_switched_off
}

# ---- the machine sleeps

can_sleep() {
	grep -q core /sys/power/pm_test && grep -q mem /sys/power/state
}

# sleeps LEVEL: as far as that and back, with a VM open, which runs on.
sleeps() {
	load && begin --cpus 2 || return
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	echo "$1" >/sys/power/pm_test && echo mem >/sys/power/state || return
	echo none >/sys/power/pm_test
	kill -0 $vm && end && says_hello && rmmod hutch && is_switched_off
}

# ----

# all_is_clean BUT: in the whole log; lines with these words don't count.
all_is_clean() {
	! dmesg | grep -v "$1" | complaints
}

[ -d /sys/kernel/debug/tracing ] || mount -t debugfs debugfs /sys/kernel/debug
if has_kvm; then
	check "gives way to KVM, which has a VM" gives_way_to_kvm
	check "keeps KVM out, and leaves it the processor" keeps_kvm_out
fi
check "stays while a VM is open" stays_while_a_vm_is_open
if has_two_cpus; then
	check "nothing of a guest's leaks" nothing_leaks
	grep -qw svm /proc/cpuinfo && check "the second CPU can't be had: gives the first back" unwinds
	check "a CPU goes and comes, no VM" unplugged_without_vms
	check "a CPU goes and comes under a VM" unplugged_under_a_vm
	check "loaded while a CPU is away" comes_while_a_cpu_is_away
fi
# Before a sleep: what gives memory back asks every file system for its own.
check "comes and goes $cycles times, and leaves nothing" comes_and_goes
check "the kernel's log has no complaint" all_is_clean 'no such words'
if can_sleep; then
	for level in devices core; do
		check "sleeps with a VM open, to level $level" sleeps $level
	done
fi
# An emulated clock jumps ahead when the machine wakes.
check "nor has it any after sleep" all_is_clean 'soft lockup'
echo "1..$number"
