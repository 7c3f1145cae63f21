# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Guests that mean harm: the process neither crashes, grows, nor spins beyond its vCPUs."""

import os
import pathlib
import signal
import subprocess
import time
from typing import Callable

import pytest

from conftest import STRETCH, Running

BOTH = pytest.mark.parametrize("irqchip", ["kernel", "user"])


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def main_thread_seconds(pid: int) -> float:
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/stat").read_text("ascii")
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ended_as_it_may(running: Running) -> bool:
    """Powered off by a stray write, or still there; never killed, never out of its depth.

    An INIT that the guest sends itself leads to 0xfffffff0, and there is no firmware: the
    report says that there is no memory. Any other report is a failure.
    """
    status = running.process.poll()
    if status not in (None, 0):
        report = running.process.stderr.read()
        assert status == 1 and report.startswith(b"hutch: an exit that nobody handles"), report
        assert b"(no memory there)" in report, report
    return status is not None


@BOTH
@pytest.mark.everywhere
def test_scribbling(start: Callable[..., Running], guest: Callable, irqchip: str) -> None:
    """Random accesses to every port and address: resets, lost bytes, anything but harm."""
    end = time.monotonic() + 5 * STRETCH
    while time.monotonic() < end:
        running = start("run", "--flat", "64", "--mem", "64M", "--cpus", 2, "--irqchip", irqchip,
                        "--on-triple-fault", "reset", guest("scribble_64.bin"),
                        stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        if ended_as_it_may(running):
            continue
        files, memory = open_files(running.pid), running.status("RssAnon")
        while time.monotonic() < end and not ended_as_it_may(running):
            time.sleep(0.2)
        if running.process.poll() is None:
            assert open_files(running.pid) <= files + 8  # a reboot may be under way
            assert running.status("RssAnon") < memory + 512
            assert running.end(signal.SIGINT) in (128 + signal.SIGINT, 0)


@BOTH
def test_reset_storm(start: Callable[..., Running], guest: Callable, irqchip: str) -> None:
    """A guest that does nothing but fault: a thousand reboots leave nothing behind."""
    running = start("run", "--flat", "32", "--mem", "64M", "--irqchip", irqchip, "--stats",
                    "--on-triple-fault", "reset", guest("triple_fault_32.bin"))
    time.sleep(0.5)
    memory = running.status("VmHWM")
    time.sleep(4)
    assert running.process.poll() is None
    assert running.status("VmHWM") < memory + 256
    assert open_files(running.pid) < 24
    assert running.end(signal.SIGINT) == 128 + signal.SIGINT
    reboots = int(running.process.stderr.readline().decode().split()[3])
    assert reboots > 20


@BOTH
@pytest.mark.parametrize("way", ["keyboard", "port92", "acpi", "triple"])
@pytest.mark.everywhere
def test_reset(hutch: Callable, guest: Callable, irqchip: str, way: str) -> None:
    """Every way to reset reboots in place."""
    result = hutch("run", "--append", way, "--irqchip", irqchip, "--on-triple-fault", "reset",
                   "--stats", guest("reset"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"reset by {way}\n" in result.stdout
    assert result.stdout.endswith("ok 1 started again after every reset\n1..1\n")
    assert ", 1 reboots\n" in result.stderr


@BOTH
def test_flood_is_the_vcpus_own_time(start: Callable[..., Running], guest: Callable,
                                     irqchip: str) -> None:
    """Output without end to a reader who takes it all: the main thread has little to do."""
    running = start("run", "--mem", "64M", "--irqchip", irqchip, "--append", "bytes=1 forever",
                    guest("uart_flood"), stdout=subprocess.DEVNULL)
    time.sleep(1)
    memory, begin = running.status("VmRSS"), main_thread_seconds(running.pid)
    time.sleep(3)
    assert running.process.poll() is None
    assert running.status("VmRSS") < memory + 128
    assert main_thread_seconds(running.pid) - begin < 1
    assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM


def test_timer_flood(start: Callable[..., Running], guest: Callable) -> None:
    """The fastest periods of every timer: bounded by the models, not by the host's patience."""
    running = start("run", "--mem", "64M", "--flat", "64", guest("timers_64.bin"))
    running.wait_for_output(b"t")
    before, begin = main_thread_seconds(running.pid), time.monotonic()
    time.sleep(2)
    assert running.process.poll() is None
    share = (main_thread_seconds(running.pid) - before) / (time.monotonic() - begin)
    assert share < 0.9
    assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM
