# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The groups of checks, in the order in which they are run and shown.

A group is a function from a Plan to an Outcome. Those in the background run beside
the others: an emulated processor takes one of the host's, for minutes.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
from typing import Callable, Dict, List, Sequence

from tests.runner import report
from tests.runner.analysis import Analysis
from tests.runner.outcome import Outcome
from tests.runner.process import ROOT, Result, run

BUILD_SECONDS = 900
UNIT_SECONDS = 120
ORACLE_SECONDS = 300
EXAMPLE_SECONDS = 60
SYSTEM_SECONDS = 900
BED_SECONDS = 1500
RUN_SECONDS = 600

BED_CANNOT_START = 125
"""bed/errors.py: there is no bed here."""


@dataclasses.dataclass
class Plan:
    """What was asked for."""

    build: str = "build"
    jobs: int = os.cpu_count() or 1
    fuzz_seconds: int = 5

    @property
    def folder(self) -> pathlib.Path:
        """Where the build is."""
        return ROOT / self.build


@dataclasses.dataclass
class Group:
    """One line of the report."""

    name: str
    what: str
    function: Callable[[Plan], Outcome]
    background: bool = False


def _each(plan: Plan, items: Sequence[object], check: Callable[[object], Outcome]) -> Outcome:
    """Checks every item, several at a time, and counts them in their order."""
    outcome = Outcome()
    with concurrent.futures.ThreadPoolExecutor(plan.jobs) as pool:
        for one in pool.map(check, items):
            outcome.take(one)
    return outcome


def _one(name: str, result: Result) -> Outcome:
    """A program that says by its exit status alone how it went."""
    outcome = Outcome()
    outcome.add(result.status == 0, name, result.detail())
    return outcome


# ---- without a guest -------------------------------------------------------------

def build(plan: Plan) -> Outcome:
    """Everything that the other groups run."""
    outcome = Outcome()
    for target in ("all", "examples", "guests", "unit", "fuzz", "oracles", "abi"):
        result = run(["make", "--no-print-directory", "-k", f"-j{plan.jobs}", f"BUILD={plan.build}",
                      target], BUILD_SECONDS)
        outcome.take(_one(f"make {target}", result))
    return outcome


def rooms(_: Plan) -> Outcome:
    """What may include what, and manners."""
    return report.tap("rooms", run(["tests/check_rooms.py"], UNIT_SECONDS))


def _listed(*patterns: str) -> List[str]:
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT,
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(name for name in listing.splitlines() if (ROOT / name).is_file())


def formatted(plan: Plan) -> Outcome:
    """clang-format finds nothing to change."""
    def check(name: object) -> Outcome:
        command = ["clang-format", "--dry-run", "-Werror", "--ferror-limit=3", name]
        return _one(f"clang-format: {name}", run(command, UNIT_SECONDS))

    return _each(plan, _listed("*.c", "*.h"), check)


def scripts(plan: Plan) -> Outcome:
    """Shell and Python scripts are sound."""
    def check(name: object) -> Outcome:
        with open(ROOT / str(name), "rb") as file:
            first = file.readline()
        if b"python" in first or str(name).endswith(".py"):
            program = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"
            return _one(f"python: {name}", run(["python3", "-W", "error", "-c", program, name],
                                               UNIT_SECONDS))
        if first.startswith(b"#!") and b"sh" in first:
            return _one(f"shellcheck: {name}", run(["shellcheck", "-x", "-S", "warning", "-e", "SC2187", name],
                                                   UNIT_SECONDS))
        return Outcome()

    names = [name for name in _listed() if name.endswith((".py", ".sh")) or "." not in
             pathlib.Path(name).name]
    outcome = _each(plan, names, check)
    outcome.take(_one("docs/abi.md is host/linux/abi.def",
                      run(["scripts/abi-table", "--check"], UNIT_SECONDS)))
    return outcome


def tidy(plan: Plan) -> Outcome:
    """clang-tidy finds nothing."""
    return Analysis(plan.folder).run(plan.jobs)


def unit(plan: Plan) -> Outcome:
    """cmocka programs, under AddressSanitizer and UndefinedBehaviorSanitizer."""
    def check(program: object) -> Outcome:
        assert isinstance(program, pathlib.Path)
        result = run([program], UNIT_SECONDS, {"CMOCKA_MESSAGE_OUTPUT": "TAP"})
        return report.tap(program.name, result)

    programs = [plan.folder / "unit" / pathlib.Path(name).stem
                for name in _listed("tests/unit/test_*.c")]
    return _each(plan, programs, check)


def fuzz(plan: Plan) -> Outcome:
    """Every fuzzer for a few seconds, from its kept corpus on."""
    def check(fuzzer: object) -> Outcome:
        assert isinstance(fuzzer, pathlib.Path)
        corpus = ROOT / "tests/fuzz/corpus" / fuzzer.name.replace("fuzz_", "", 1)
        with tempfile.TemporaryDirectory(prefix="hutch-fuzz-") as folder:
            command = [fuzzer, "-seed=1", f"-max_total_time={plan.fuzz_seconds}", "-timeout=10",
                       "-rss_limit_mb=1024", f"-artifact_prefix={plan.folder}/{fuzzer.name}-", folder]
            command += [corpus] if corpus.is_dir() else []
            return _one(fuzzer.name, run(command, plan.fuzz_seconds + 120))

    fuzzers = [plan.folder / "fuzzers" / pathlib.Path(name).stem
               for name in _listed("tests/fuzz/fuzz_*.c")]
    return _each(plan, fuzzers, check)


def oracles(plan: Plan) -> Outcome:
    """Programs that compare ours with others' over millions of cases."""
    def check(program: object) -> Outcome:
        assert isinstance(program, pathlib.Path)
        return _one(program.name, run([program], ORACLE_SECONDS))

    programs = [plan.folder / "oracles" / pathlib.Path(name).stem
                for name in _listed("tests/oracles/*_oracle.c")]
    return _each(plan, programs, check)


# ---- with guests -----------------------------------------------------------------

def kvm_is_here() -> bool:
    """Whether this machine has a KVM that we may use."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def _pytest(plan: Plan, select: str, prefix: Sequence[object], timeout: float) -> "tuple[Result, Outcome]":
    results = plan.folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    file = results / f"{select}.xml"
    file.unlink(missing_ok=True)
    result = run([*prefix, "python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                  f"--junitxml={file}", f"--select={select}", "tests/system"], timeout,
                 {"HUTCH_BUILD": plan.build})
    return result, report.junit(file, result)


def _not_here(result: Result, tests: str) -> Outcome:
    """A bed that cannot start, with the reason it gave."""
    reason = (result.output.strip().splitlines() or ["no reason given"])[-1]
    return Outcome(skipped=1, skipped_because=f"{tests}: {reason}")


def system(plan: Plan) -> Outcome:
    """The real command on this machine's KVM."""
    if not kvm_is_here():
        return Outcome()  # svm() takes these tests, too
    return _pytest(plan, "host", [], SYSTEM_SECONDS)[1]


def svm(plan: Plan) -> Outcome:
    """The real command on an emulated processor with AMD-V: all tests in one boot."""
    select = "bed" if kvm_is_here() else "all"
    bed = ["bed/bed", "svm", "--quiet", "--mem", "2G", "--timeout", BED_SECONDS,
           "--out", plan.folder / "results", "--"]
    result, outcome = _pytest(plan, select, bed, BED_SECONDS + 60)
    return _not_here(result, "the svm bed") if result.status == BED_CANNOT_START else outcome


def _told_by_bed(*words: str) -> str:
    return run(["bed/bed", *words], BED_SECONDS).output.strip().rpartition("\n")[2]


def _inner_guest(bochs: bool) -> Dict[str, str]:
    """Debian's kernel and initramfs, for a guest in a bed.

    In Bochs it is the unpacked kernel, since unpacking takes a minute there, and it is told
    not to use what Bochs has wrong (bed/vmx.py).
    """
    variables = {"HUTCH_KERNEL": _told_by_bed("kernel", *(["--vmlinux"] if bochs else [])),
                 "HUTCH_INITRAMFS": _told_by_bed("guest-initramfs")}
    if bochs:
        variables["HUTCH_APPEND"] = "clearcpuid=xsavec"
    return variables


def _bed_checks(plan: Plan, name: str, bed: List[object], environment: List[str],
                script: str = "bed_checks.sh") -> Outcome:
    """A script of tests/system in one boot of a bed."""
    bochs = bed[0] == "vmx"
    guest = _inner_guest(bochs)
    variables = [f"HUTCH_BUILD={plan.folder}", *environment, *(f"{word}={value}" for word, value in guest.items())]
    if bochs:
        bed = [*bed, "--include", guest["HUTCH_KERNEL"]]
    result = run(["bed/bed", *bed, "--quiet", "--mem", "2G", "--timeout", BED_SECONDS,
                  *(word for variable in variables for word in ("--env", variable)),
                  "--", "/bin/sh", f"tests/system/{script}", "tests/system/tap.sh"], BED_SECONDS + 60)
    if result.status == BED_CANNOT_START:
        return _not_here(result, f"the {bed[0]} bed")
    return report.tap(name, result)


_making = threading.Lock()
"""One at a time: two groups want the same module."""


def _module(plan: Plan) -> Outcome:
    """Our own hypervisor, for the kernel of the beds."""
    with _making:
        return _make_module(plan)


def _make_module(plan: Plan) -> Outcome:
    kernel = run(["bed/bed", "kernel"], BED_SECONDS).output.strip().rpartition("vmlinuz-")[2]
    return _one("make module", run(
        ["make", "--no-print-directory", "-C", "host/linux", f"BUILD={plan.folder}",
         f"KERNEL=/usr/src/linux-headers-{kernel}"], BUILD_SECONDS))


OWN = ["HUTCH_DEVICE=/dev/hutch"]

RYZEN = ["HUTCH_WORDS=no-dr6 no-cr2", "HUTCH_NO_TRIPLE_FAULTS=Bochs ends with a guest that has one",
         "HUTCH_NO_BREAKPOINTS=Bochs does not say in DR6 which",
         "HUTCH_NO_ANY_GUEST=Bochs takes no interrupt while a guest has IF clear"]
"""What Bochs's AMD-V has wrong: docs/conformance.md."""

QEMU = ["/usr/bin/qemu-system-x86_64", "/usr/share/seabios/bios-256k.bin",
        *(f"/usr/share/qemu/{name}.bin" for name in ("kvmvapic", "pvh", "bios-microvm"))]
"""It and its firmware, for a bed that has none of the host's files."""


def _with_qemu(plan: Plan) -> List[object]:
    return ["vmx", *(word for file in QEMU for word in ("--include", file)), "--no-kvm",
            "--kernel-module", f"{plan.folder / 'hutch.ko'} name=kvm"]


def vmx(plan: Plan) -> Outcome:
    """On a processor with VT-x, over Linux's KVM and over our own hypervisor."""
    bed = ["vmx", "--include", plan.folder / "hutch", "--include", plan.folder / "guests"]
    outcome = _bed_checks(plan, "vmx", bed, [])
    module = _module(plan)
    outcome.take(module)
    if not module.failed:
        bed += ["--include", plan.folder / "abi", "--no-kvm", "--kernel-module"]
        outcome.take(_bed_checks(plan, "own-vmx", [*bed, plan.folder / "hutch.ko"], OWN))
        # What is off there by itself on, and the reverse.
        outcome.take(_bed_checks(plan, "own-vmx-apicv",
                                 [*bed, f"{plan.folder / 'hutch.ko'} apicv=1 pml=0"],
                                 [*OWN, "HUTCH_IRQCHIPS=kernel"]))
        # A processor that leaves real mode to others.
        outcome.take(_bed_checks(plan, "own-vmx-restricted",
                                 [*bed, plan.folder / "hutch.ko", "--cpu-model", "corei5_lynnfield_750"],
                                 [*OWN, "HUTCH_IRQCHIPS=kernel", "HUTCH_CALLS=1000"]))
        outcome.take(_bed_checks(plan, "own-ryzen",
                                 ["vmx", "--cpu-model", "ryzen", *bed[1:], plan.folder / "hutch.ko"],
                                 [*OWN, *RYZEN]))
        outcome.take(_bed_checks(plan, "qemu-vmx", _with_qemu(plan), ["HUTCH_MACHINES=pc"],
                                 "qemu_checks.sh"))
    return outcome


def own_svm(plan: Plan) -> Outcome:
    """The same checks over our own hypervisor, on a processor with AMD-V."""
    outcome = _module(plan)
    if not outcome.failed:
        outcome.take(_bed_checks(
            plan, "own-svm", ["svm", "--no-kvm", "--kernel-module", plan.folder / "hutch.ko"],
            [*OWN, "HUTCH_WORDS=no-shadows", "HUTCH_CALLS=60000",
             "HUTCH_NO_BREAKPOINTS=QEMU knows none but what a guest sets itself"]))
        # The host with five levels of paging, and so the tables for its guests, too.
        outcome.take(_bed_checks(
            plan, "qemu", ["svm", "--five-levels", "--no-kvm", "--kernel-module", f"{plan.folder / 'hutch.ko'} name=kvm"],
            [], "qemu_checks.sh"))
        outcome.take(_bed_checks(plan, "module", ["svm", "--cpus", 2, "--kernel-module", "msr"],
                                 ["HUTCH_CYCLES=10"], "module_checks.sh"))
    return outcome


def boot(plan: Plan) -> Outcome:
    """`make run` without a terminal: Debian's kernel, which checks itself."""
    return _one("make run", run(["make", "-s", "--no-print-directory", f"BUILD={plan.build}", "run"],
                                RUN_SECONDS))


def examples(plan: Plan) -> Outcome:
    """The programs of examples/, in the bed where this machine has no KVM."""
    programs = [plan.folder / "examples" / pathlib.Path(name).stem
                for name in _listed("examples/*.c")]
    if not kvm_is_here():
        script = "for program in \"$@\"; do $program || exit; done"
        result = run(["bed/bed", "svm", "--quiet", "--", "/bin/sh", "-c", script, "sh", *programs],
                     BED_SECONDS)
        if result.status == BED_CANNOT_START:
            return _not_here(result, "examples in the svm bed")
        return _one("examples in the svm bed", result)
    return _each(plan, programs, lambda program: _one(f"example: {pathlib.Path(str(program)).name}",
                                                      run([program], EXAMPLE_SECONDS)))


def _background() -> bool:
    """Whether this machine has a processor to spare for an emulated one."""
    return (os.cpu_count() or 1) > 1 and shutil.which("bochs") is not None


GROUPS = [
    Group("build", "everything compiles and links", build),
    Group("vmx", "KVM and our own hypervisor in a bed with VT-x (Bochs)", vmx, background=_background()),
    Group("rooms", "what may include what, licences, sizes", rooms),
    Group("format", "clang-format", formatted),
    Group("scripts", "shell and Python scripts", scripts),
    Group("tidy", "clang-tidy", tidy),
    Group("unit", "unit tests under ASan and UBSan", unit),
    Group("fuzz", "every fuzzer for a few seconds", fuzz),
    Group("oracles", "the decoder beside Zydis and Capstone", oracles),
    Group("examples", "the example programs", examples),
    Group("system", "the command on this machine's KVM", system),
    Group("svm", "the command in a bed with AMD-V (QEMU)", svm),
    Group("own-svm", "our own hypervisor in a bed with AMD-V (QEMU)", own_svm),
    Group("boot", "make run: Debian's kernel to its self-check", boot),
]
