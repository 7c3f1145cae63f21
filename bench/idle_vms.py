#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Starts many idle VMs at once: time and memory of each must not grow with their number.

Every VM is a process of its own with 64 MiB of RAM and a guest that says it is there,
on the debug console, and halts. They are started one after the other, each when the
one before has spoken. The cost of one VM is its time to that first byte and its
private memory; the figures with N VMs running are compared with those of the first,
measured in the same run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time

from figures import host, spread, verdict

# mov $0xe9, %dx; mov $'.', %al; out %al, %dx; 1: hlt; jmp 1b -- as a 16-bit flat image.
GUEST = bytes([0xBA, 0xE9, 0x00, 0xB0, 0x2E, 0xEE, 0xF4, 0xEB, 0xFD])


def private_kib(pid: int) -> int:
    """Private memory of a process, all of it, in KiB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
        return sum(
            int(line.split()[1]) for line in rollup if line.startswith(("Private_Clean", "Private_Dirty"))
        )


def start(command: list[str]) -> tuple[subprocess.Popen[bytes], float]:
    """Starts a VM; returns it with the seconds until its guest spoke."""
    began = time.monotonic()
    vm = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert vm.stdout is not None
    if vm.stdout.read(1) != b".":
        raise SystemExit("idle_vms: a guest did not speak")
    return vm, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hutch", default="build/hutch")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()

    with tempfile.NamedTemporaryFile(suffix=".bin") as image:
        image.write(GUEST)
        image.flush()
        command = [options.hutch, "run", "--mem", "64M", "--flat", "16", image.name]
        alone = []
        for _ in range(20):  # one VM at a time, for the cost of a single one
            vm, seconds = start(command)
            alone.append((seconds, private_kib(vm.pid)))
            vm.kill()
            vm.wait()
        vms: list[subprocess.Popen[bytes]] = []
        crowd = []
        try:
            for _ in range(options.count):
                vm, seconds = start(command)
                vms.append(vm)
                crowd.append(seconds)
            memory = [private_kib(vm.pid) for vm in vms]
            before = [os.times().elapsed, time.process_time()]
            idle_ticks = sum(cpu_ticks(vm.pid) for vm in vms)
            time.sleep(3)
            idle_ticks = sum(cpu_ticks(vm.pid) for vm in vms) - idle_ticks
            elapsed = os.times().elapsed - before[0]
        finally:
            for vm in vms:
                vm.kill()
            for vm in vms:
                vm.wait()

    print(f"ran on: {host()}")
    print(f"one VM:    start {spread([s * 1e3 for s, _ in alone], 'ms')}, private {spread([k for _, k in alone], 'KiB')}")
    print(f"{options.count} VMs:   start {spread([s * 1e3 for s in crowd], 'ms')}, private {spread(memory, 'KiB')}")
    share = idle_ticks / os.sysconf("SC_CLK_TCK") / elapsed
    print(f"{options.count} VMs idle use {share * 100:.2f} % of one CPU")
    last = crowd[-options.count // 4 :]
    verdict(
        f"idle-{options.count}-time",
        statistics.median(last) / statistics.median(s for s, _ in alone),
        1.1,
    )
    verdict(
        f"idle-{options.count}-memory",
        statistics.fmean(memory) / statistics.fmean(k for _, k in alone),
        1.1,
    )


def cpu_ticks(pid: int) -> int:
    """User and system time of a process so far, in clock ticks."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
