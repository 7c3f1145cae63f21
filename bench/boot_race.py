#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Boots one kernel with several VMMs in turn, here, and tells time and memory of each.

This is the part of bench/boot that runs where the hypervisor is. Each competitor is
started as a process, and the time runs until the first line of init appears on its
console; then, with the guest idle, its private memory outside guest RAM is read from
/proc/PID/smaps. The order rotates, so that no one always follows the same neighbour.

Prints one JSON object per boot: {"vmm": ..., "seconds": ..., "private_kib": ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import subprocess
import sys
import time

MARK = b"first line of init"
MEMORY_MIB = 256
COMMAND_LINE = "console=ttyS0 quiet panic=-1"


def commands(hutch: str, kernel: str, initramfs: str) -> dict[str, list[str]]:
    """The competitors: the same kernel, initramfs, memory and command line for each."""
    qemu = [
        "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", str(MEMORY_MIB),
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
        "-kernel", kernel, "-initrd", initramfs, "-append", COMMAND_LINE,
    ]
    return {
        "hutch": [
            hutch, "run", "--mem", f"{MEMORY_MIB}M", "--initrd", initramfs,
            "--append", COMMAND_LINE, kernel,
        ],
        "qemu-microvm": [*qemu, "-M", "microvm"],
        "qemu-pc": [*qemu, "-M", "pc"],
    }


def private_kib_outside_ram(pid: int) -> int:
    """Private memory of a process in KiB, without its one mapping as large as guest RAM."""
    ram_kib = MEMORY_MIB * 1024
    total, size_kib, private = 0, 0, 0
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps:
        for line in smaps:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                total += private if size_kib < ram_kib * 3 // 4 else 0
                size_kib, private = 0, 0
            elif line.startswith("Size:"):
                size_kib = int(line.split()[1])
            elif line.startswith(("Private_Clean:", "Private_Dirty:")):
                private += int(line.split()[1])
    return total + (private if size_kib < ram_kib * 3 // 4 else 0)


def boot(command: list[str], timeout: float) -> tuple[float, int]:
    """Starts a VMM and waits for MARK; returns seconds and private KiB."""
    start = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as vmm:
        assert vmm.stdout is not None
        os.set_blocking(vmm.stdout.fileno(), False)
        selector = selectors.DefaultSelector()
        selector.register(vmm.stdout, selectors.EVENT_READ)
        seen = b""
        try:
            while MARK not in seen:
                left = timeout - (time.monotonic() - start)
                if left <= 0 or not selector.select(left):
                    raise TimeoutError
                chunk = vmm.stdout.read()
                if chunk == b"":
                    raise EOFError
                seen += chunk or b""
            seconds = time.monotonic() - start
            time.sleep(0.3)
            return seconds, private_kib_outside_ram(vmm.pid)
        except (EOFError, TimeoutError) as error:
            tail = seen[-2000:].decode(errors="replace")
            sys.exit(f"boot_race: {command[0]}: no first line of init ({error!r}):\n{tail}")
        finally:
            vmm.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hutch", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initramfs", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--only", action="append", help="only this competitor; repeatable")
    options = parser.parse_args()

    competitors = commands(options.hutch, options.kernel, options.initramfs)
    names = [name for name in competitors if not options.only or name in options.only]
    for round_number in range(options.rounds):
        shift = round_number % len(names)
        for name in names[shift:] + names[:shift]:
            seconds, private_kib = boot(competitors[name], options.timeout)
            print(
                json.dumps({"vmm": name, "seconds": seconds, "private_kib": private_kib}),
                flush=True,
            )


if __name__ == "__main__":
    main()
