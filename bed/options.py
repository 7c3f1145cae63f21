# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The command line of bed/bed."""

import argparse
import os
import shlex
from typing import List, Optional, Tuple

SVM_HELP = """\
Boots Debian's kernel on an AMD processor with AMD-V (SVM, NPT), emulated by QEMU,
and runs COMMAND there. The bed sees the files of this machine, under the same
paths: /usr/bin/strace there is /usr/bin/strace here. What it writes goes to memory
and is lost at the end, except under the folders given by --out."""

VMX_HELP = """\
Boots Debian's kernel on an Intel processor with VT-x (EPT, VPID, unrestricted
guest), emulated by Bochs, and runs COMMAND there. Bochs can't share files, so the
bed holds busybox, build/hutch, the kernel and the initramfs for an inner guest, and
what you carry in: --include FILE, COMMAND itself and every file named in it."""

EPILOG = """\
exit status:
  that of COMMAND (128 + N if signal N killed it), or
    2  the command line makes no sense
  124  the bed was killed after --timeout
  125  there is no bed here: no emulator, no kernel package, no compiler
  126  the bed died, or refused a kernel module, before COMMAND had ended
  127  the bed has no such command

environment:
  HUTCH_BED_CACHE   where the kernel is kept (default: build/bed)
  HUTCH_BED_KERNEL  a linux-image .deb to use in place of Debian's newest

examples:
  bed/bed svm -- uname -a
  bed/bed svm --cpus 2 -- build/hutch info
  bed/bed vmx --include my-guest.bin -- build/hutch run my-guest.bin
  bed/bed svm --kernel-module build/hutch.ko -- ls -l /dev/hutch
  bed/bed svm                      (a shell, if this is a terminal)
"""


def _common(parser: argparse.ArgumentParser, cpus: int) -> None:
    add = parser.add_argument
    add("--cpus", type=_positive, default=cpus, metavar="N", help="processors (default: %(default)s)")
    add("--mem", type=_mebibytes, default="1G", metavar="SIZE", help="memory, such as 512M or 2G "
        "(default: %(default)s)")
    add("--timeout", type=_seconds, default=None, metavar="SECONDS",
        help="kill the bed after so long (default: 600, none when interactive; 0: none)")
    add("--kernel-module", action="append", default=[], metavar="FILE", help="load this module "
        "before COMMAND, after kvm and whatever it needs itself; a name such as `msr` means "
        "Debian's own; parameters may follow: 'msr allow_writes=on'")
    add("--no-kvm", action="store_true", help="load no kvm: there will be no /dev/kvm")
    add("--kvm-parameters", default="", metavar="WORDS", help="parameters for kvm's modules, such "
        "as 'nested=0 kvm.ignore_msrs=1'; without a prefix for kvm_amd or kvm_intel")
    add("--include", action="append", default=[], metavar="FILE[:PATH]",
        help="carry a file or folder in, to the same path or to PATH")
    add("--env", action="append", default=[], metavar="NAME=VALUE",
        help="set this in COMMAND's environment (HUTCH_* go along by themselves)")
    add("--append", default="", metavar="WORDS", help="more for the bed's kernel command line")
    add("--deterministic", action="store_true", help="time is counted in instructions, and "
        "nothing of this machine shines through: two runs give the same counts")
    add("--interactive", action="store_true", help="run COMMAND (default: a shell) on this terminal; "
        "Ctrl-] leaves")
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("--verbose", action="store_true", help="show the kernel's console")
    loudness.add_argument("--quiet", action="store_true", help="say nothing but what COMMAND says, unless the bed fails")


def parse(arguments: List[str]) -> argparse.Namespace:
    """The parsed command line; `command` holds what stands behind the first "--"."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    own, command = arguments[:split], arguments[split + 1:]
    options = _parser().parse_args(own)
    options.command = command
    return options


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="bed/bed", formatter_class=raw, epilog=EPILOG, description="Runs a command on an "
        "emulated processor that has AMD-V or VT-x,\nunder Debian's kernel, and brings its output "
        "and exit status back.")
    verbs = parser.add_subparsers(dest="verb", metavar="svm|vmx|guest-initramfs|kernel", required=True)

    svm = verbs.add_parser("svm", help="on an AMD processor (QEMU)", description=SVM_HELP,
                           formatter_class=raw, epilog=EPILOG, usage="bed/bed svm [options] [-- COMMAND...]")
    _common(svm, cpus=1)
    svm.add_argument("--cpu-model", default="max", metavar="MODEL",
                     help="any model of qemu's -cpu (default: %(default)s)")
    svm.add_argument("--five-levels", action="store_true",
                     help="five levels of paging, which only a kernel that unpacks itself turns on")
    svm.add_argument("--out", action="append", default=[], metavar="FOLDER",
                     help="a folder of this machine that the bed may write to")

    vmx = verbs.add_parser("vmx", help="on an Intel processor (Bochs)", description=VMX_HELP,
                           formatter_class=raw, epilog=EPILOG, usage="bed/bed vmx [options] [-- COMMAND...]")
    _common(vmx, cpus=1)
    vmx.add_argument("--cpu-model", default="corei7_skylake_x", metavar="MODEL",
                     help="corei7_skylake_x (default), corei7_haswell_4770, core2_penryn_t9600 (no "
                     "EPT), or ryzen, which has AMD-V")

    vmx.add_argument("--log", default="", metavar="FILE", help="keep Bochs's log, which names every "
                     "broken rule of a VMCS")
    verbs.add_parser("guest-initramfs", help="print the path of the initramfs of a guest that is "
                     "a shell, or checks itself (see bed/guest/init)")
    verbs.add_parser("kernel", help="print the path of Debian's vmlinuz, unpacked into the cache")
    return parser


# ---- values --------------------------------------------------------------------

def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def _mebibytes(text: str) -> int:
    units = {"M": 1, "G": 1024}
    number, unit = (text[:-1], text[-1].upper()) if text and not text[-1].isdigit() else (text, "M")
    if unit not in units or not number.isdigit() or int(number) * units[unit] < 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512M or 2G, 64M at least")
    return int(number) * units[unit]


def kvm_parameters(words: str, vendor: str) -> "dict[str, str]":
    """Sorts 'kvm.x=1 npt=0' by module: {'kvm': 'x=1', 'kvm_amd': 'npt=0'}."""
    sorted_words: "dict[str, list[str]]" = {"kvm": [], vendor: []}
    for word in shlex.split(words):
        module, dot, parameter = word.partition(".")
        if not dot or "=" in module:
            module, parameter = vendor, word
        sorted_words.setdefault(module.replace("-", "_"), []).append(parameter)
    return {module: " ".join(parameters) for module, parameters in sorted_words.items()}


def include(text: str) -> Tuple[str, str]:
    """FILE[:PATH] as (file here, place in the bed)."""
    source, _, place = text.partition(":")
    source = os.path.abspath(source)
    return source, place or source


def timeout(options: argparse.Namespace) -> Optional[float]:
    """The seconds that a bed may take, None for as long as it likes."""
    if options.timeout is None:
        return None if options.interactive else 600
    return options.timeout or None
