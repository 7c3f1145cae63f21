# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The beds themselves: what goes into one must come out of it, exactly.

A boot takes seconds in QEMU and a quarter of a minute in Bochs, so a boot is shared
by many tests: a fixture runs one command that does everything, and each test looks
at one part of what came back.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import uuid

import pexpect
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BED = ROOT / "bed" / "bed"
SECONDS = 600
"""Far more than any boot here takes, for machines that have much else to do."""

pytestmark = pytest.mark.skipif("HUTCH_BED" in os.environ, reason="a bed in a bed")

COUNTER = """
#include <stdio.h>
#include <x86intrin.h>

int main(void)
{
	unsigned long long begin = __rdtsc();

	for (volatile int i = 0; i < 100000; i++)
		;
	printf("%llu %llu\\n", begin, __rdtsc() - begin);
	return 0;
}
"""


def run(*words, may_skip=True, **options):
    """Runs bed/bed; a bed that cannot start is the one reason to skip."""
    result = subprocess.run([BED, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            check=False, timeout=SECONDS, cwd=ROOT, **options)
    if may_skip and result.returncode == 125:
        pytest.skip(result.stderr.decode().strip())
    return result


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """A static program that prints the time-stamp counter, and what a loop takes by it."""
    folder = tmp_path_factory.mktemp("counter")
    source, program = folder / "counter.c", folder / "counter"
    source.write_text(COUNTER, encoding="ascii")
    subprocess.run(["gcc", "-O1", "-static", "-o", program, source], check=True)
    return program


# ---- AMD-V -------------------------------------------------------------------------

@dataclasses.dataclass
class Visit:
    """What came back from one boot."""

    status: int
    output: bytes
    errors: bytes
    folder: pathlib.Path


SVM_SCRIPT = """
out=$1
printf 'to standard error\\n' >&2
cat >$out/input
nproc >$out/processors
pwd >$out/folder
ls -l /dev/kvm /dev/cpu/0/msr >$out/devices
cat /sys/module/kvm_amd/parameters/nested >$out/nested
python3 -V >$out/python
qemu-system-x86_64 --version >$out/qemu
cmp README.md $out/../readme 2>&1 && echo same >$out/readme
echo changed >$out/../readme && echo "$GREETING" >$out/greeting
printf 'a\\0b\\377\\r\\n\\033[0mlast'
exit 42
"""


@pytest.fixture(scope="module")
def svm(tmp_path_factory):
    """One boot with two processors, a module of Debian's, a parameter, input and output."""
    base = tmp_path_factory.mktemp("svm")
    folder = base / "out"
    folder.mkdir()
    shutil.copy(ROOT / "README.md", base / "readme")
    result = run("svm", "--cpus", 2, "--kernel-module", "msr allow_writes=on", "--kvm-parameters",
                 "nested=0", "--env", "GREETING=good day", "--out", folder, "--", "sh", "-c",
                 SVM_SCRIPT, "sh", folder, input=bytes(range(256)) * 1000)
    return Visit(result.returncode, result.stdout, result.stderr, folder)


def test_svm_exit_status(svm):
    assert svm.status == 42, svm.errors.decode()


def test_svm_output_is_exact(svm):
    assert svm.output == b"a\0b\377\r\n\033[0mlast"
    assert svm.errors == b"to standard error\n"


def test_svm_input_is_exact(svm):
    assert (svm.folder / "input").read_bytes() == bytes(range(256)) * 1000


def test_svm_processors(svm):
    assert (svm.folder / "processors").read_text() == "2\n"


def test_svm_kvm_and_module(svm):
    devices = (svm.folder / "devices").read_text()
    assert "/dev/kvm" in devices and "/dev/cpu/0/msr" in devices
    assert (svm.folder / "nested").read_text() == "0\n"


def test_svm_sees_this_machine(svm):
    """The project at its own path, and programs of the host that run as they are."""
    assert (svm.folder / "folder").read_text() == f"{ROOT}\n"
    assert (svm.folder / "readme").read_text() == "same\n"
    assert (svm.folder / "python").read_text().startswith("Python 3.")
    assert (svm.folder / "qemu").read_text().startswith("QEMU emulator version")


def test_svm_environment(svm):
    assert (svm.folder / "greeting").read_text() == "good day\n"


def test_svm_writes_stay_in_the_bed(svm):
    """It could write to a file outside --out, and ours is as it was."""
    assert (svm.folder / "greeting").exists()
    assert (svm.folder.parent / "readme").read_bytes() == (ROOT / "README.md").read_bytes()


def test_command_not_found():
    result = run("svm", "--no-kvm", "--", "no-such-command")
    assert result.returncode == 127
    assert result.stderr == b"bed: no-such-command: command not found\n"


def test_refused_kernel_module():
    """kvm_intel loads on no AMD processor: the command isn't run, and the line says why."""
    result = run("svm", "--no-kvm", "--kernel-module", "kvm_intel", "--", "echo", "it ran")
    assert result.returncode == 126
    assert result.stdout == b""
    assert b"kvm-intel.ko" in result.stderr


def test_panic_is_told():
    result = run("svm", "--no-kvm", "--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100")
    assert result.returncode == 126
    assert b"died before its command had ended" in result.stderr
    assert b"Kernel panic" in result.stderr


def test_two_deterministic_runs_are_one(counter):
    """The kernel's whole log with its times, and the counter's value, come out the same."""
    def count():
        return run("svm", "--deterministic", "--", "sh", "-c", f"{counter}; dmesg; cat /proc/uptime",
                   "sh", counter)

    first, second = count(), count()
    assert first.returncode == second.returncode == 0, first.stderr.decode()
    assert re.match(rb"\d+ \d+\n", first.stdout)
    assert b"Run /init as init process" in first.stdout
    assert first.stdout == second.stdout


# ---- a bed that hangs --------------------------------------------------------------

def processes_with(mark):
    """The processes that have @mark in their environment, by /proc."""
    found = []
    for environ in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue  # it has ended, or isn't ours
    return found


def test_timeout_tells_where_it_stood():
    mark = f"BED_TEST={uuid.uuid4()}"
    begin = time.monotonic()
    result = subprocess.run([BED, "svm", "--timeout", "12", "--", "sleep", "1000"], check=False,
                            capture_output=True, timeout=SECONDS, cwd=ROOT,
                            env={**os.environ, "BED_TEST": mark.partition("=")[2]})
    if result.returncode == 125:
        pytest.skip(result.stderr.decode().strip())
    assert result.returncode == 124
    assert time.monotonic() - begin >= 12
    first, *console = result.stderr.decode().splitlines()
    assert first == "bed: svm: killed after 12 s; where it stood:"
    assert 1 <= len(console) <= 15 and all(line.startswith("  | ") for line in console)
    assert any(re.search(r"\[ *\d+\.\d{6}\]", line) for line in console), "no line of the kernel's"
    assert not processes_with(mark.encode()), "something outlived the bed"


def test_no_emulator(tmp_path):
    """Nothing on the PATH: the one status that means there is no bed here."""
    run("svm", "--no-kvm", "--", "true")  # so that nothing need be fetched or compiled
    result = subprocess.run([sys.executable, BED, "svm", "--", "true"], check=False, timeout=SECONDS,
                            capture_output=True, text=True, env={**os.environ, "PATH": str(tmp_path)})
    assert result.returncode == 125
    assert result.stderr == "bed: qemu-system-x86_64 is not installed; scripts/install-deps does it\n"


def test_emulator_that_aborts_is_started_again(tmp_path):
    """Once, and only with several processors: a QEMU that aborts the first time."""
    run("kernel")
    real, fake, tried = shutil.which("qemu-system-x86_64"), tmp_path / "qemu-system-x86_64", tmp_path / "tried"
    fake.write_text(f"#!/bin/sh\n[ -e {tried} ] && exec {real} \"$@\"\n: >{tried}\nkill -ABRT $$\n",
                    encoding="ascii")
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    alone = run("svm", "--no-kvm", "--", "true", env=environment, may_skip=False)
    assert alone.returncode == 125
    assert b"SIGABRT" in alone.stderr
    tried.unlink()
    again = run("svm", "--no-kvm", "--cpus", 2, "--", "nproc", env=environment)
    assert again.returncode == 0
    assert again.stdout == b"2\n"
    assert b"running it again, once" in again.stderr


@pytest.mark.parametrize("words, complaint", [
    (["svm"], "no command"),
    (["svm", "true"], "unrecognized arguments: true"),
    (["svm", "--mem", "12K", "--", "true"], "'12K' is not a size"),
    (["svm", "--cpus", "0", "--", "true"], "'0' is not a number above 0"),
    (["svm", "--out", "/no/such/folder", "--", "true"], "--out /no/such/folder: no such folder"),
    (["svm", "--kernel-module", "no_such_module", "--", "true"], "neither a file nor a module"),
    (["svm", "--kernel-module", "/etc/passwd", "--", "true"], "/etc/passwd: not a kernel module"),
    (["svm", "--include", "/no/such/file", "--", "true"], "/no/such/file: no such file"),
    (["svm", "--env", "NOVALUE", "--", "true"], "--env NOVALUE: want NAME=VALUE"),
    (["vmx", "--cpu-model", "8086", "--", "true"], "--cpu-model 8086: Bochs has"),
])
def test_bad_usage(words, complaint):
    run("kernel")
    result = subprocess.run([BED, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            check=False, timeout=SECONDS, cwd=ROOT)
    assert result.returncode == 2
    assert complaint in result.stderr


# ---- a terminal --------------------------------------------------------------------

def test_shell_on_a_terminal():
    """Window size, job control and the status of the shell; then the terminal as it was."""
    script = f"stty -g; {BED} svm --no-kvm; echo status=$?; stty -g"
    child = pexpect.spawn("/bin/sh", ["-c", script], dimensions=(33, 111), timeout=SECONDS,
                          encoding="utf-8", cwd=str(ROOT))
    child.expect(r"([0-9a-f:]+)\r\n")
    before = child.match.group(1)
    index = child.expect(["# ", "status=125"])
    if index == 1:
        pytest.skip("there is no bed here")
    child.sendline("stty size; tty")
    child.expect("33 111\r\n/dev/pts/0\r\n")
    # The command says itself that it runs: its echo comes before the shell has read it, and
    # an interrupt at that moment is the shell's own.
    child.sendline("sh -c 'echo $((40 + 2)) and asleep; exec sleep 1000'")
    child.expect("42 and asleep\r\n")
    child.sendintr()
    child.sendline("echo interrupted: $?")
    child.expect("interrupted: 130")
    child.sendline("exit 5")
    child.expect(r"status=5\r\n([0-9a-f:]+)\r\n")
    assert child.match.group(1) == before
    child.expect(pexpect.EOF)


# ---- VT-x --------------------------------------------------------------------------

VMX_SCRIPT = """
printf 'to standard error\\n' >&2
ls /dev/kvm /dev/cpu/0/msr
cat /sys/module/kvm_intel/parameters/ept /sys/module/kvm/parameters/ignore_msrs
cat /carried
pwd
%s
cat /proc/uptime
printf 'a\\0b\\377\\r\\n\\033[0mlast'
exit 42
"""


@pytest.fixture(scope="module")
def vmx(counter, tmp_path_factory):
    """Two boots, which must not differ."""
    carried = tmp_path_factory.mktemp("vmx") / "file"
    carried.write_text("carried in\n")
    words = ["vmx", "--deterministic", "--kernel-module", "msr", "--kvm-parameters",
             "kvm.ignore_msrs=1", "--include", f"{carried}:/carried", "--include", counter, "--",
             "sh", "-c", VMX_SCRIPT % counter]
    return run(*words), run(*words)


def test_vmx_exit_status(vmx):
    assert vmx[0].returncode == 42, vmx[0].stderr.decode()


def test_vmx_output_is_exact(vmx):
    output = vmx[0].stdout.decode("latin-1")
    expected = rf"""/dev/cpu/0/msr
/dev/kvm
Y
Y
carried in
{ROOT}
\d+ \d+
\d+\.\d\d \d+\.\d\d
a\0b\xff\r\n\x1b\[0mlast"""
    assert re.fullmatch(expected, output), output
    assert vmx[0].stderr == b"to standard error\n"


def test_vmx_two_runs_are_one(vmx):
    assert vmx[0].stdout == vmx[1].stdout


# ---- what is made without a boot ---------------------------------------------------

def test_guest_initramfs_is_reproducible(tmp_path):
    """A second cache gets the same bytes, and cpio finds in it what a guest needs."""
    made = [subprocess.run([BED, "guest-initramfs"], check=True, stdout=subprocess.PIPE, text=True,
                           env={**os.environ, "HUTCH_BED_CACHE": str(tmp_path / name)}).stdout.strip()
            for name in ("one", "two")]
    contents = [pathlib.Path(path).read_bytes() for path in made]
    assert contents[0] == contents[1]
    with open(made[0], "rb") as archive:
        listing = subprocess.run(["/bin/busybox", "cpio", "-tv"], stdin=archive, check=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    assert re.search(r"^-rwxr-xr-x .* bin/busybox$", listing, re.M)
    assert re.search(r"^-rwxr-xr-x .* init$", listing, re.M)
    assert re.search(r"^crw------- .* dev/console$", listing, re.M)
    assert re.search(r"^lrwxrwxrwx .* bin/sh -> /bin/busybox$", listing, re.M)
