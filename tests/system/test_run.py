# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`hutch run`: its words, what it says of itself, what it boots and what it refuses."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from typing import Callable, List

import pytest

from conftest import HUTCH, ROOT, STRETCH

sys.path.insert(0, str(ROOT))
from bed import cpio, initramfs, kernel  # pylint: disable=wrong-import-position

SEABIOS = pathlib.Path("/usr/share/seabios")
MODES = pytest.mark.parametrize("mode", [16, 32, 64])


# ---- words ----------------------------------------------------------------------------

def test_version(hutch: Callable) -> None:
    result = hutch("--version")
    assert result.returncode == 0
    assert re.fullmatch(r"hutch \S+\n", result.stdout)
    assert hutch("version").stdout == result.stdout


def test_help_of_all(hutch: Callable) -> None:
    result = hutch("--help")
    assert result.returncode == 0
    for word in ("run", "info", "--help", "--version"):
        assert re.search(rf"^  {word}\b", result.stdout, re.M)


OPTIONS = ["append", "initrd", "module", "firmware", "flat", "kernel-cache", "cpus", "mem", "cpu",
           "irqchip", "no-acpi", "on-triple-fault", "testdev", "hypervisor", "console",
           "cpu-limit", "mem-limit", "grace", "dry-run", "stats", "help"]


def test_help_of_run(hutch: Callable) -> None:
    result = hutch("run", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.findall(r"^ .*?--([a-z-]+)", result.stdout, re.M) == OPTIONS
    assert all(len(line) <= 90 for line in result.stdout.splitlines())
    assert hutch("run", "-h").stdout == result.stdout
    assert hutch("run", "-nsh", "kernel").stdout == result.stdout


@pytest.mark.parametrize("words, complaint", [
    ([], "a command is missing; see hutch --help"),
    (["rnu"], "rnu: no such command; did you mean run?"),
    (["boot-it"], "boot-it: no such command; see hutch --help"),
    (["run"], "a kernel is missing; see hutch run --help"),
    (["run", "--initd", "x"], "--initd: no such option; did you mean --initrd?"),
    (["run", "--initd=x"], "--initd: no such option; did you mean --initrd?"),
    (["run", "--memory", "1G"], "--memory: no such option; did you mean --mem?"),
    (["run", "--zzzzzzz"], "--zzzzzzz: no such option; see hutch run --help"),
    (["run", "-z"], "-z: no such option; see hutch run --help"),
    (["run", "-nz"], "-nz: no such option; see hutch run --help"),
    (["run", "--mem"], "--mem: expected SIZE behind it"),
    (["run", "-m"], "--mem: expected SIZE behind it"),
    (["run", "--stats=yes"], "--stats: takes no value"),
    (["run", "a", "b"], "b: a second kernel, after a"),
    (["run", "--mem", "5x"], "--mem 5x: expected a size such as 256M or 2G"),
    (["run", "--mem", "-1"], "--mem -1: expected a size such as 256M or 2G"),
    (["run", "--mem", ""], "--mem : expected a size such as 256M or 2G"),
    (["run", "--mem", "99999999999T"], "--mem 99999999999T: expected a size such as 256M or 2G"),
    (["run", "--cpus", "0"], "--cpus 0: expected a number from 1 to 4096"),
    (["run", "--cpus", "two"], "--cpus two: expected a number from 1 to 4096"),
    (["run", "--cpus", "99999999999999999999"],
     "--cpus 99999999999999999999: expected a number from 1 to 4096"),
    (["run", "--flat", "65"], "--flat 65: expected 16, 32 or 64, and perhaps @ADDRESS"),
    (["run", "--flat", "64@x"], "--flat x: expected a number from 0 to 3221225472"),
    (["run", "--irqchip", "none"], "--irqchip none: expected kernel or user"),
    (["run", "--on-triple-fault", "x"], "--on-triple-fault x: expected report or reset"),
    (["run", "--grace", "-1"], "--grace -1: expected a number from 0 to 86400"),
    (["run", "--cpu-limit", "0"], "--cpu-limit 0: expected a number from 1 to 409600"),
])
def test_wrong_words(hutch: Callable, words: List[str], complaint: str) -> None:
    result = hutch(*words)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"hutch: {complaint}\n")


def test_too_many_modules(hutch: Callable) -> None:
    result = hutch("run", *["--module", "x"] * 17, "kernel")
    assert (result.returncode, result.stderr) == (2, "hutch: --module x: more than 16 modules\n")


def test_ways_to_write_an_option(hutch: Callable, guest: Callable) -> None:
    file = guest("hello_32.bin")
    for words in (["--flat", "32", "--mem", "64", file], ["--flat=32", "--mem=64M", file],
                  [file, "--flat=32", "-m64"], ["-m", "65536K", "--flat", "32", "--", file],
                  ["-m64M", "-c1", "--flat=32@0x200000", file]):
        result = hutch("run", *words)
        assert (result.returncode, result.stdout) == (0, "hello\n"), words


# ---- files -------------------------------------------------------------------------------

@pytest.mark.parametrize("words, complaint", [
    (["/nowhere/vmlinuz"], "/nowhere/vmlinuz: No such file or directory"),
    (["/"], "/: Is a directory"),
    (["--initrd", "/nowhere/initrd", "/bin/true"], "/nowhere/initrd: No such file or directory"),
    (["--module", "/nowhere/m 1 2", "/bin/true"], "/nowhere/m: No such file or directory"),
    (["--firmware", "/nowhere/bios"], "/nowhere/bios: No such file or directory"),
])
def test_missing_files(hutch: Callable, words: List[str], complaint: str) -> None:
    result = hutch("run", *words)
    assert (result.returncode, result.stderr) == (2, f"hutch: {complaint}\n")


def test_file_that_may_not_be_read(tmp_path: pathlib.Path) -> None:
    if os.geteuid():
        pytest.skip("only root can become nobody")
    (tmp_path / "hutch").write_bytes(HUTCH.read_bytes())
    (tmp_path / "hutch").chmod(0o755)
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0)
    for directory in [tmp_path, *tmp_path.parents[:2]]:
        directory.chmod(0o755)
    result = subprocess.run([tmp_path / "hutch", "run", "--flat", "64", tmp_path / "secret"],
                            capture_output=True, text=True, check=False, user=65534, group=65534,
                            timeout=10 * STRETCH)
    assert (result.returncode, result.stderr) == (
        2, f"hutch: {tmp_path}/secret: Permission denied\n")


def test_no_kernel_at_all(hutch: Callable, tmp_path: pathlib.Path) -> None:
    for name, content in (("empty", b""), ("text", b"hello, this is no kernel\n" * 100)):
        (tmp_path / name).write_bytes(content)
        result = hutch("run", tmp_path / name)
        assert result.returncode == 2
        assert re.fullmatch(rf"hutch: {tmp_path}/{name}: .+\n", result.stderr)
        assert result.stdout == ""


def test_kernel_through_a_pipe(hutch: Callable, guest: Callable, tmp_path: pathlib.Path) -> None:
    """Read once, and still there after a reset."""
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen(["dd", f"if={guest('reset')}", f"of={tmp_path}/pipe", "bs=1k",
                               "status=none"])
    result = hutch("run", "--append", "keyboard acpi", tmp_path / "pipe")
    writer.wait()
    assert result.returncode == 0, result.stderr
    assert "ok 1 started again after every reset" in result.stdout


# ---- the hypervisor -----------------------------------------------------------------------

def test_no_hypervisor(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--hypervisor", "/dev/nothing", "--flat", "64", guest("hello_64.bin"))
    assert result.returncode == 1
    assert re.fullmatch(r"hutch: /dev/nothing: No such file or directory: .+\n", result.stderr)


def test_not_a_hypervisor(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--hypervisor", "/dev/null", "--flat", "64", guest("hello_64.bin"))
    assert result.returncode == 1
    assert result.stderr.startswith("hutch: /dev/null: KVM_GET_API_VERSION: ")
    assert result.stderr.count("\n") == 1


def test_more_cpus_than_there_are(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--cpus", "4096", "--no-acpi", "--flat", "64", guest("hello_64.bin"))
    assert result.returncode == 2
    assert re.fullmatch(r"hutch: --cpus 4096: /dev/kvm has at most \d+ \(KVM_CAP_MAX_VCPUS\)\n",
                        result.stderr)


@pytest.mark.parametrize("irqchip", ["kernel", "user"])
def test_many_cpus(hutch: Callable, guest: Callable, irqchip: str) -> None:
    """More than an xAPIC can address."""
    result = hutch("run", "--cpus", "300", "--irqchip", irqchip, "--flat", "64",
                   guest("hello_64.bin"), timeout=60)
    assert (result.returncode, result.stdout) == (0, "hello\n"), result.stderr


def test_bad_cpu_policy(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--cpu", "host,+warp", "--flat", "64", guest("hello_64.bin"))
    assert result.returncode == 2
    assert re.fullmatch(r"hutch: --cpu.*warp.*\n", result.stderr)


# ---- exit statuses ----------------------------------------------------------------------------

@pytest.mark.everywhere
@pytest.mark.parametrize("value, options, status", [
    (0, [], 0), (7, [], 7), (255, [], 255), (0, ["--testdev"], 1), (3, ["--testdev"], 7),
])
def test_debug_exit(hutch: Callable, tmp_path: pathlib.Path, value: int, options: List[str],
                    status: int) -> None:
    """Port 0xf4: the value itself, or as QEMU's isa-debug-exit would have it."""
    code = bytes([0xb8, value, 0, 0, 0, 0xe7, 0xf4, 0xf4])  # mov eax, value; out 0xf4, eax; hlt
    (tmp_path / "guest").write_bytes(code)
    result = hutch("run", *options, "--flat", "32", tmp_path / "guest")
    assert (result.returncode, result.stderr) == (status, "")


# ---- looking at it -----------------------------------------------------------------------------

@MODES
def test_dry_run(hutch: Callable, guest: Callable, mode: int) -> None:
    result = hutch("run", "--dry-run", "--mem", "5G", "--cpus", "3", "--flat", mode,
                   guest(f"hello_{mode}.bin"))
    assert (result.returncode, result.stderr) == (0, "")
    text = result.stdout
    assert re.search(r"^  0x0000000000-0x000009fbff +639 KiB  RAM$", text, re.M)
    assert re.search(r"^  0x0100000000-0x\w+ +2097152 KiB  RAM$", text, re.M)
    assert f"loaded, by the protocol: flat {mode}-bit" in text
    assert re.search(r"^rip [0-9a-f]{16} rflags", text, re.M)
    assert re.search(r"ACPI APIC$", text, re.M)
    assert re.search(r"^  0x\w+-0x\w+ +1 KiB  image$", text, re.M)
    assert "local APICs" in text
    for line in ("port 0x03f8-0x03ff  16550A serial, GSI 4", "port 0x0040-0x0043  8254 timer, GSI 0",
                 "port 0x0070-0x0071  MC146818 clock, GSI 8", "processors: 3"):
        assert line in text, line
    assert "features" in text


def test_dry_run_needs_no_hypervisor(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "-n", "--hypervisor", "/dev/nothing", "--flat", "64",
                   guest("hello_64.bin"))
    assert result.returncode == 0
    assert "CPUID is not known without a hypervisor: /dev/nothing: No such file" in result.stdout


def test_dry_run_without_acpi(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "-n", "--no-acpi", "--testdev", "--flat", "64", guest("hello_64.bin"))
    assert "ACPI RSDP" not in result.stdout
    assert "memory 0xff000000-0xff00ffff  test memory" in result.stdout
    assert "port 0x2000-0x2017  test interrupts" in result.stdout


def test_dry_run_of_something_bad(hutch: Callable, tmp_path: pathlib.Path) -> None:
    (tmp_path / "kernel").write_bytes(b"")
    result = hutch("run", "-n", tmp_path / "kernel")
    assert (result.returncode, result.stdout) == (2, "")


@pytest.mark.everywhere
def test_statistics(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--stats", "--cpus", "2", "--flat", "64", guest("count_64.bin"))
    text = result.stderr
    assert re.search(r"^time \d+\.\d+ s, 0 reboots$", text, re.M)
    assert re.search(r"^io +1000 +\d+\.\d$", text, re.M)
    assert re.search(r"^all +\d+ +\d+\.\d$", text, re.M)
    for cpu in (0, 1):
        assert re.search(rf"^vCPU {cpu}( +\d+\.\d+){{4}}$", text, re.M)


# ---- firmware ------------------------------------------------------------------------------------

IMAGES = pytest.mark.parametrize("image", ["bios.bin", "bios-256k.bin", "bios-microvm.bin"])
WITH_SEABIOS = pytest.mark.skipif(not SEABIOS.is_dir(), reason="wants Debian's package seabios")
BOTH = pytest.mark.parametrize("irqchip", ["kernel", "user"])


@WITH_SEABIOS
@IMAGES
@BOTH
def test_firmware_starts(start: Callable, image: str, irqchip: str) -> None:
    """From the reset vector to its greeting on the serial port."""
    running = start("run", "--firmware", SEABIOS / image, "--irqchip", irqchip)
    running.wait_for_output(b"Press ESC for boot menu", timeout=60)
    running.end()


@pytest.mark.native
@WITH_SEABIOS
@IMAGES
@BOTH
def test_firmware_to_its_boot_menu(start: Callable, image: str, irqchip: str) -> None:
    running = start("run", "--firmware", SEABIOS / image, "--irqchip", irqchip,
                    stdin=subprocess.PIPE)
    running.wait_for_output(b"Press ESC for boot menu", timeout=60)
    running.process.stdin.write(b"\x1b")
    running.process.stdin.flush()
    running.wait_for_output(b"Select boot device:", timeout=60)
    running.end()


def test_firmware_and_kernel(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--firmware", "/bin/true", guest("hello_64.bin"))
    assert result.returncode == 2
    assert re.fullmatch(r"hutch: /bin/true: firmware: .+\n", result.stderr)


# ---- Linux -------------------------------------------------------------------------------------------

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "init is up"
echo "processors: $(/bin/busybox grep -c ^processor /proc/cpuinfo)"
case $(/bin/busybox cat /proc/cmdline) in
*do=reboot*) /bin/busybox reboot -f ;;
*do=listen*)
    /bin/busybox mount -t sysfs sys /sys
    /bin/busybox mount -t devtmpfs dev /dev
    for module in /modules/*; do /bin/busybox insmod $module; done
    name=$(/bin/busybox grep -l "Power Button" /sys/class/input/event*/device/name)
    event=${name#/sys/class/input/}
    echo "listening to ${event%%/*}"
    /bin/busybox dd if=/dev/input/${event%%/*} of=/dev/null bs=24 count=1
    echo "somebody pressed it"
    /bin/busybox poweroff -f ;;
*do=exit*) /bin/busybox printf '\\5' | /bin/busybox dd of=/dev/port bs=1 seek=244 ;;
*) /bin/busybox poweroff -f ;;
esac
"""


@pytest.fixture(scope="module")
def initrd(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An initramfs with busybox and the script above."""
    archive = cpio.Archive()
    initramfs.add_busybox(archive)
    archive.data("/init", INIT, 0o755)
    for number, module in enumerate(kernel.obtain().module_files(["button", "evdev"])):
        archive.file(f"/modules/{number}.ko", module)
    for directory in ("/proc", "/sys", "/dev"):
        archive.directory(directory)
    archive.character_device("/dev/console", 5, 1)
    archive.character_device("/dev/port", 1, 4)
    path = tmp_path_factory.mktemp("linux") / "initrd"
    with open(path, "wb") as file:
        archive.write(file)
    return path


def linux(initrd: pathlib.Path, *options: object, words: str = "") -> List[object]:
    return ["run", "--initrd", initrd, "--append", f"console=ttyS0 panic=-1 {words}", *options,
            kernel.obtain().vmlinuz]


@pytest.mark.native
@pytest.mark.parametrize("irqchip", ["kernel", "user"])
@pytest.mark.parametrize("cpus", [1, 2])
def test_linux(hutch: Callable, initrd: pathlib.Path, irqchip: str, cpus: int) -> None:
    result = hutch(*linux(initrd, "--irqchip", irqchip, "--cpus", cpus, words="quiet"), timeout=60)
    assert result.returncode == 0, result.stderr
    assert "init is up\n" in result.stdout
    assert f"processors: {cpus}\n" in result.stdout
    assert "reboot: Power down" in result.stdout


@pytest.mark.native
def test_linux_reboots(start: Callable, initrd: pathlib.Path) -> None:
    """In place: the same process boots it again."""
    running = start(*linux(initrd, words="quiet do=reboot"))
    for _ in range(2):
        running.wait_for_output(b"init is up", timeout=60)
    assert running.process.poll() is None
    assert running.end(signal.SIGINT) == 128 + signal.SIGINT


@pytest.mark.native
def test_linux_without_acpi(hutch: Callable, initrd: pathlib.Path) -> None:
    """The MP table tells it of the processors; it leaves through the debug exit port."""
    result = hutch(*linux(initrd, "--no-acpi", "--cpus", 2, words="quiet do=exit"), timeout=60)
    assert result.returncode == 5, result.stdout + result.stderr
    assert "processors: 2\n" in result.stdout


@pytest.mark.native
@pytest.mark.parametrize("irqchip", ["kernel", "user"])
def test_linux_hears_the_power_button(start: Callable, initrd: pathlib.Path, irqchip: str) -> None:
    """SIGTERM asks it by ACPI's interrupt; it powers off of itself."""
    running = start(*linux(initrd, "--irqchip", irqchip, "--grace", 300, words="quiet do=listen"))
    running.wait_for_output(b"listening to event", timeout=60)
    time.sleep(0.5 * STRETCH)
    running.process.send_signal(signal.SIGTERM)
    running.wait_for_output(b"somebody pressed it", timeout=60)
    assert running.process.wait(30 * STRETCH) == 0
