# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The AMD-V bed: QEMU's TCG, which interprets an AMD processor with SVM and NPT.

Files come over 9p: the host's whole file system, read-only, with a layer of memory
over it, so that every program of the host runs in the bed as it is. The command's
bytes go over a virtio port, the kernel's console over a serial port of its own.

A deterministic bed has neither 9p nor virtio: their answers come from threads of
QEMU at times of their own. It has the same initramfs-only view as the Bochs bed,
and the command's bytes go over the second serial port.
"""

import argparse
import os
from typing import List

from bed import initramfs, machine
from bed.command import Bed
from bed.errors import STATUS_BAD_USAGE, BedError

QEMU = "qemu-system-x86_64"

KERNEL_COMMAND_LINE = "earlyprintk=ttyS0 console=ttyS0 panic=0 mitigations=off nokaslr tsc=reliable cryptomgr.notests"

FILE_SHARING_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"]

INSTRUCTION_NANOSECONDS_SHIFT = 0
"""-icount: each instruction takes 2^shift ns of the deterministic bed's time."""


class SvmBed(Bed):
    """A bed in QEMU."""

    name = "svm"
    kvm_module = "kvm_amd"

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.shares_files = not options.deterministic
        self.takes_input = not options.deterministic
        self.channel_device = "/dev/vport0p1" if self.shares_files else "/dev/ttyS1"
        self._out = [os.path.abspath(path) for path in options.out]
        for path in self._out:
            if not os.path.isdir(path):
                raise BedError(f"--out {path}: no such folder", STATUS_BAD_USAGE)
        if self._out and not self.shares_files:
            raise BedError("--out: a deterministic bed shares no folders", STATUS_BAD_USAGE)

    def plan(self) -> initramfs.Plan:
        plan = super().plan()
        if self.shares_files:
            plan.pulse = "/dev/vport0p2"
            plan.shares = [(f"out{number}", "rw", path) for number, path in enumerate(self._out)]
        return plan

    def system_modules(self) -> List[str]:
        return FILE_SHARING_MODULES if self.shares_files else []

    def emulator(self, folder: str, initrd: str) -> machine.Emulator:
        console, their_console = machine.pipe()
        pulse = -1
        if self.shares_files:
            channel, their_channel = machine.two_way()
            pulse, their_pulse = machine.two_way()
            theirs = [their_console, their_channel, their_pulse]
        else:
            channel, their_channel = machine.pipe()
            theirs = [their_console, their_channel]
        options = self.options
        command_line = f"{KERNEL_COMMAND_LINE} {options.append}".strip()
        kernel = self.kernel.vmlinuz if options.five_levels else self.kernel.vmlinux
        argv = [QEMU, "-name", "bed", "-machine", "q35", "-accel", "tcg", "-cpu", options.cpu_model,
                "-smp", str(options.cpus), "-m", f"{options.mem}M", "-nodefaults", "-display", "none",
                "-no-reboot", "-kernel", kernel, "-initrd", initrd,
                "-append", command_line,
                "-chardev", f"file,id=console,path=/dev/fd/{their_console}", "-serial", "chardev:console"]
        if self.shares_files:
            argv += self._shared_devices(their_channel, their_pulse)
        else:
            argv += self._deterministic_devices(their_channel)
        return machine.Emulator(self.name, argv, folder, console, channel, theirs, pulse)

    def _shared_devices(self, channel: int, pulse: int) -> List[str]:
        argv = ["-rtc", "base=utc",
                "-chardev", f"socket,id=agent,fd={channel}",
                "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,nr=1",
                "-chardev", f"socket,id=pulse,fd={pulse}",
                "-device", "virtserialport,chardev=pulse,nr=2",
                "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]
        for number, path in enumerate(self._out):
            quoted = path.replace(",", ",,")
            argv += ["-fsdev", f"local,id=out{number},path={quoted},security_model=none,multidevs=remap",
                     "-device", f"virtio-9p-pci,fsdev=out{number},mount_tag=out{number}"]
        return argv

    @staticmethod
    def _deterministic_devices(channel: int) -> List[str]:
        return ["-icount", f"shift={INSTRUCTION_NANOSECONDS_SHIFT},sleep=off", "-seed", "1",
                "-rtc", "base=2024-01-01T00:00:00,clock=vm",
                "-chardev", f"file,id=agent,path=/dev/fd/{channel}", "-serial", "chardev:agent"]
