# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The VT-x bed: Bochs, which interprets an Intel processor instruction by instruction.

Bochs is slow (some 70 million instructions a second) and strict: it checks every
rule for the VMCS and names the one that was broken in its log. What makes a boot
take ten seconds rather than ninety is that little is left to do in it: the kernel
lies in memory unpacked (bed/bochs_disk.py), its self-tests and certificates are
skipped, and its time is told from the instruction count.

The first serial port is the kernel's console; the second carries the command's
bytes, one way to a pipe, or both ways over a pseudo-terminal if interactive.

Bochs must show its screen somewhere: it listens on the first free port from 5900 on
for a VNC viewer, and goes on whether one comes or not. Nothing is to be seen there.
"""

import argparse
import os
import time
import tty

from bed import bochs_disk, machine
from bed.command import Bed
from bed.errors import STATUS_BAD_USAGE, BedError

BOCHS = "bochs-bin"
BIOS = "/usr/share/bochs/BIOS-bochs-latest"
VGA_BIOS = "/usr/share/bochs/VGABIOS-lgpl-latest"

CPU_MODELS = ("corei7_skylake_x", "corei7_haswell_4770", "corei5_lynnfield_750", "core2_penryn_t9600",
              "ryzen")

INSTRUCTIONS_PER_SECOND = 50_000_000
"""How many instructions make a second of the bed's time. With fewer, timer
interrupts eat the processor; with more, every wait takes longer than it must."""

FIXED_TIME = 1704067200
"""When a deterministic bed begins: 2024-01-01, midnight UTC."""

SKIPPED_INITCALLS = ("load_system_certificate_list", "trace_eval_init", "init_kprobe_trace",
                     "cubictcp_register", "crypto_kdf108_init")
"""What the kernel would spend seconds on and no bed needs."""

KERNEL_COMMAND_LINE = (
    "earlyprintk=ttyS0,115200 console=ttyS0,115200 panic=0 mitigations=off nokaslr tsc=reliable "
    f"tsc_early_khz={INSTRUCTIONS_PER_SECOND // 1000} random.trust_cpu=on cryptomgr.notests "
    f"rodata=off nowatchdog audit=0 lsm= initcall_blacklist={','.join(SKIPPED_INITCALLS)}")

HIDDEN_FEATURES = ["xsavec", "xsaves"]
"""What no kernel there may use: Bochs's XSAVEC and XSAVES put the YMM registers where XRSTOR
does not look for them, over the header, if they are in use; and XRSTORS raises #GP."""

HIDDEN_FEATURES_OF = {"ryzen": ["mwaitx"]}
"""And of one model: Bochs's MWAITX never wakes when its time is up."""

RANDOM_FEATURES = ["rdrand", "rdseed"]
"""Hidden from a deterministic bed: Bochs makes up another number each time."""

BOCHSRC = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={mem}, host={mem}
romimage: file={bios}, options=fastboot
vgaromimage: file={vga_bios}
optromimage1: file={rom}, address=0xd0000
ata0-master: type=disk, mode=flat, path={disk}
ata0-slave: type=cdrom, path=none, status=ejected
pci: enabled=1, chipset=i440fx
clock: sync=none, time0={time}
com1: enabled=1, mode=file, dev=/dev/fd/{console}
com2: enabled=1, {com2}
sound: driver=dummy
speaker: enabled=0
log: {log}
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


class VmxBed(Bed):
    """A bed in Bochs."""

    name = "vmx"
    channel_device = "/dev/ttyS1"

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        if options.cpu_model not in CPU_MODELS:
            raise BedError(f"--cpu-model {options.cpu_model}: Bochs has {', '.join(CPU_MODELS)}",
                           STATUS_BAD_USAGE)
        self.kvm_module = "kvm_amd" if options.cpu_model == "ryzen" else "kvm_intel"
        self.takes_input = options.interactive

    def emulator(self, folder: str, initrd: str) -> machine.Emulator:
        for needed in (BIOS, VGA_BIOS):
            if not os.path.exists(needed):
                raise BedError(f"{needed} is missing; install bochs, bochsbios")
        console, their_console = machine.pipe()
        theirs = [their_console]
        if self.options.interactive:
            channel, their_channel = os.openpty()
            tty.setraw(their_channel)
            os.set_blocking(channel, False)
            com2 = f"mode=term, dev={os.ttyname(their_channel)}"
        else:
            channel, their_channel = machine.pipe()
            com2 = f"mode=file, dev=/dev/fd/{their_channel}"
        theirs.append(their_channel)
        command_line = self._command_line()
        disk, rom = bochs_disk.write(folder, self.kernel, initrd, command_line, self.options.mem << 20)
        self._write_file(folder, "bochsrc", BOCHSRC.format(
            model=self.options.cpu_model, cpus=self.options.cpus, ips=INSTRUCTIONS_PER_SECOND,
            mem=self.options.mem, bios=BIOS, vga_bios=VGA_BIOS, rom=rom, disk=disk,
            console=their_console, com2=com2, log=self._log(folder),
            time=FIXED_TIME if self.options.deterministic else int(time.time())))
        # Debian's Bochs has its debugger built in, which waits for this to begin.
        self._write_file(folder, "commands", "c\n")
        argv = [BOCHS, "-q", "-f", "bochsrc", "-rc", "commands"]
        return machine.Emulator(self.name, argv, folder, console, channel, theirs, reason=_reason)

    def _command_line(self) -> str:
        words = [KERNEL_COMMAND_LINE, self.options.append]
        hidden = HIDDEN_FEATURES + HIDDEN_FEATURES_OF.get(self.options.cpu_model, [])
        if self.options.deterministic:
            hidden += RANDOM_FEATURES
        words.append(f"clearcpuid={','.join(hidden)}")
        return " ".join(words)

    def _log(self, folder: str) -> str:
        return os.path.abspath(self.options.log) if self.options.log else os.path.join(folder, "bochs.log")

    def packed_module(self, path: str) -> str:
        return self.kernel.lean(path)

    @staticmethod
    def _write_file(folder: str, name: str, content: str) -> None:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(content)


def _reason(complaints: str) -> str:
    """Bochs says why it ends, and then what its debugger thinks of it."""
    _, _, reason = complaints.partition("exiting with the following message:\n")
    return reason.partition("\n")[0] if reason else machine.last_line(complaints)
