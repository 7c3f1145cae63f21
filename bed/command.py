# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""One command in one bed: what both beds do alike, whatever emulates them."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from typing import Dict, List, Tuple

from bed import cache, guest_initramfs, initramfs, kernel, machine, options as command_line, terminal
from bed.errors import STATUS_BAD_USAGE, BedError

PASSED_ON = ("TERM", "LANG", "LC_ALL", "COLORTERM")
"""What of our environment the command is given, beside everything named HUTCH_*."""


class Bed:
    """A bed to be made. A subclass knows one emulator."""

    name = ""
    kvm_module = ""
    channel_device = ""
    shares_files = False
    """Whether the host's files are seen in the bed, so that few need be carried."""
    takes_input = False
    """Whether our standard input can reach the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.kernel = kernel.obtain()

    def emulator(self, folder: str, initrd: str) -> machine.Emulator:
        """The process to start. @folder is its own, @initrd the initramfs."""
        raise NotImplementedError

    def system_modules(self) -> List[str]:
        """The kernel's modules that the bed itself needs."""
        return []

    def packed_module(self, path: str) -> str:
        """The file that stands for the kernel's module @path in the bed."""
        return path

    def carried(self) -> List[Tuple[str, str]]:
        """Files that are carried in, as (file here, place there).

        Where the host's files aren't seen, these are also the command's program, every
        file that its words name, and what it takes to run a guest under Hutch.
        """
        files = [command_line.include(text) for text in self.options.include]
        if not self.shares_files:
            hutch = os.path.join(cache.PROJECT, os.environ.get("HUTCH_BUILD", "build"), "hutch")
            own = [*self._named_files(), self.kernel.vmlinuz, guest_initramfs.obtain(), hutch]
            files += [(path, path) for path in own if os.path.isfile(path)]
        return files

    def plan(self) -> initramfs.Plan:
        """What the bed is to do."""
        system = initramfs.ModulePlan(self.kernel)
        for name in self.system_modules():
            system.add(name)
        return initramfs.Plan(
            channel=self.channel_device, view="host" if self.shares_files else "own",
            argv=self.options.command or ["/bin/sh"], environ=self._environ(), cwd=os.getcwd(),
            stdio=self._stdio(), modules=system.modules, late_modules=self._wanted_modules(),
            carried=self.carried())

    def run(self) -> int:
        """Runs the command and returns the exit status."""
        outcome = self._run_once()
        if outcome.emulator_signal == signal.SIGABRT and self.options.cpus > 1 and not outcome.used_input:
            # QEMU's TCG loses count of its global lock once in many long runs with
            # several processors, sees that, and gives up.
            if not self.options.quiet:
                sys.stderr.write(f"bed: {self.name}: the emulator aborted, as it sometimes does with "
                                 "several processors; running it again, once\n")
            outcome = self._run_once()
        sys.stderr.write(outcome.report)
        return outcome.status

    def _run_once(self) -> machine.Outcome:
        folder = tempfile.mkdtemp(prefix="hutch-bed-")
        try:
            initrd = os.path.join(folder, "initramfs")
            initramfs.write(self.plan(), initrd)
            watch = machine.Watch(self.emulator(folder, initrd), command_line.timeout(self.options),
                                  self.options.verbose, self._input(), self.options.interactive)
            return watch.run()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _named_files(self) -> List[str]:
        files = []
        for position, word in enumerate(self.options.command):
            path = os.path.abspath(word)
            if position == 0 and "/" not in word and not initramfs.is_busybox_command(word):
                path = shutil.which(word, path=initramfs.PATH) or path
            if os.path.isfile(path) and not path.startswith(("/proc/", "/sys/", "/dev/")):
                files.append(path)
        return files

    def _wanted_modules(self) -> List[Tuple[str, str]]:
        plan = initramfs.ModulePlan(self.kernel)
        if not self.options.no_kvm:
            for module, parameters in command_line.kvm_parameters(
                    self.options.kvm_parameters, self.kvm_module).items():
                plan.add(module, parameters)
        for text in self.options.kernel_module:
            name, _, parameters = text.partition(" ")
            if os.path.isfile(name):
                plan.add_file(os.path.abspath(name), parameters)
            elif "/" not in name and self.kernel.has_module(name):
                plan.add(name, parameters)
            else:
                raise BedError(f"--kernel-module {name}: neither a file nor a module of "
                               f"kernel {self.kernel.version}", STATUS_BAD_USAGE)
        return [(self.packed_module(path), parameters) for path, parameters in plan.modules]

    def _environ(self) -> Dict[str, str]:
        environ = {"PATH": initramfs.PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root",
                   "SHELL": "/bin/sh", "HUTCH_BED": self.name}
        for name, value in os.environ.items():
            if name in PASSED_ON or (name.startswith("HUTCH_") and name != "HUTCH_BED"):
                environ[name] = value
        for setting in self.options.env:
            name, equals, value = setting.partition("=")
            if not equals or not name:
                raise BedError(f"--env {setting}: want NAME=VALUE", STATUS_BAD_USAGE)
            environ[name] = value
        return environ

    def _input(self) -> int:
        """Our standard input's descriptor, or -1 if the command has nothing to read.

        A terminal is only read for an interactive bed: a program that runs in the
        background must not take what is typed, or be stopped for trying.
        """
        if not self.takes_input:
            return -1
        if os.isatty(0) and not self.options.interactive:
            return -1
        return 0

    def _stdio(self) -> str:
        if self.options.interactive:
            return "terminal"
        words = ["pipe" if self._input() >= 0 else "none"]
        if os.path.sameopenfile(1, 2):
            words.append("merged")
        return " ".join(words)


def choose_interactive(options: argparse.Namespace) -> None:
    """No command and a terminal: the user wants a shell there."""
    if not options.command and not options.interactive:
        if not terminal.both_are_terminals():
            raise BedError("no command: put it behind --, as in `bed/bed svm -- uname -a`",
                           STATUS_BAD_USAGE)
        options.interactive = True
    if options.interactive and not terminal.both_are_terminals():
        raise BedError("--interactive: standard input or output is not a terminal", STATUS_BAD_USAGE)


