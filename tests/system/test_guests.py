# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Our own payloads (tests/guests) under the real command.

Each checks itself from inside and ends through the debug exit port, so hutch's exit
status is the payload's verdict. What only the host can see is checked here: exits,
memory, threads, processor time. Every payload runs with both kinds of interrupt
controllers, in the hypervisor and in user space.
"""

import datetime
import re
import signal
import time

import pytest

from conftest import IN_BED, STRETCH

BOTH = pytest.mark.parametrize("irqchip", ["kernel", "user"])
MODES = pytest.mark.parametrize("mode", [16, 32, 64])

MEBIBYTES = 64
SLACK_KIB = 8 * 1024
"""What the process may take beyond the guest's memory, whatever the guest does."""


def expect_success(status, output, errors):
    """All of the payload's checks held, and it came to its end."""
    told = re.sub("U{9,}", "U...", output) + errors
    held = len(re.findall(r"^ok \d+", output, re.M))
    plan = re.search(r"^1\.\.(\d+)", output, re.M)
    assert "not ok" not in output, told
    assert status == 0, told
    assert plan and held == int(plan.group(1)) > 0, told


def check_payload(hutch, file, irqchip, *words, cpus=1):
    """Runs a Multiboot payload with @words as its command line; returns what it said.

    In the svm bed QEMU's AMD-V forgets the shadows of STI and MOV SS across an exit.
    """
    if IN_BED:
        words += ("no-shadows",)
    result = hutch("run", "--mem", f"{MEBIBYTES}M", "--irqchip", irqchip, "--cpus", cpus,
                   "--append", " ".join(words), file, timeout=60)
    expect_success(result.returncode, result.stdout, result.stderr)
    return result.stdout


# ---- flat payloads, in each mode --------------------------------------------------

@MODES
@pytest.mark.everywhere
def test_hello(hutch, guest, mode):
    result = hutch("run", "--flat", mode, guest(f"hello_{mode}.bin"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == "hello\n"


@MODES
@pytest.mark.everywhere
def test_each_out_is_one_exit(hutch, guest, mode):
    result = hutch("run", "--stats", "--flat", mode, guest(f"count_{mode}.bin"))
    assert result.returncode == 0, result.stderr
    assert re.search(r"^io +1000 ", result.stderr, re.M), result.stderr


@MODES
@pytest.mark.everywhere
def test_triple_fault_is_reported(hutch, guest, mode):
    result = hutch("run", "--flat", mode, guest(f"triple_fault_{mode}.bin"))
    assert result.returncode not in (0, 1), "the payload went on"
    assert result.returncode > 0, "hutch was killed by a signal"
    assert "triple fault" in result.stderr, result.stderr


# ---- guests that do what they should not ------------------------------------------

def check_hostile(start, file, irqchip, *words):
    """A payload that checks itself, watched from outside while it goes about it.

    No memory beyond the guest's own, one thread for its vCPU and one for the rest, and
    no processor time but the vCPU's.
    """
    running = start("run", "--mem", f"{MEBIBYTES}M", "--irqchip", irqchip,
                    "--append", " ".join(words), file)
    begun, peak, threads, busy = time.monotonic(), 0, 0, 0.0
    while running.process.poll() is None:
        assert time.monotonic() - begun < 60 * STRETCH, "it does not end"
        try:
            peak = max(peak, running.status("VmHWM"))
            busy = running.cpu_seconds()
            threads = max(threads, len(running.threads()))
        except (FileNotFoundError, KeyError, ProcessLookupError):
            break  # it ended between the two questions
        time.sleep(0.05)
    output, errors = running.process.communicate(timeout=60)
    expect_success(running.process.returncode, output.decode("latin-1"), errors.decode("latin-1"))
    assert threads == 2
    assert 0 < peak < MEBIBYTES * 1024 + SLACK_KIB
    assert busy < 1.2 * (time.monotonic() - begun)


@pytest.mark.everywhere
def test_every_port(start, guest):
    check_hostile(start, guest("ports"), "kernel" if IN_BED else "user")


@BOTH
@pytest.mark.everywhere
def test_every_address_without_memory(start, guest, irqchip):
    check_hostile(start, guest("mmio"), irqchip)


@BOTH
@pytest.mark.everywhere
def test_interrupt_controllers_flooded(start, guest, irqchip):
    check_hostile(start, guest("irq_flood"), irqchip, "rounds=5000")


@BOTH
@pytest.mark.native
def test_interrupt_controllers_flooded_and_heard(start, guest, irqchip):
    check_hostile(start, guest("irq_flood"), irqchip, "rounds=5000", "interrupts")


@pytest.mark.everywhere
def test_uart_flooded(hutch, guest):
    output = check_payload(hutch, guest("uart_flood"), "kernel", "bytes=20000")
    assert output.count("U") >= 20000


def test_uart_flooded_and_nobody_reads(start, guest):
    """The pipe is full: hutch waits, and neither keeps what is not read nor spins."""
    running = start("run", "--mem", f"{MEBIBYTES}M", "--append", "bytes=1 forever",
                    guest("uart_flood"))
    running.wait_for_output(b"U")
    time.sleep(2)
    memory = running.status("VmRSS")
    time.sleep(2)
    assert running.status("VmRSS") - memory < 1024
    assert len(running.threads()) == 2
    assert running.end(signal.SIGKILL) == -signal.SIGKILL


# ---- clocks, resets, processors ----------------------------------------------------

@BOTH
@pytest.mark.everywhere
def test_clocks_agree(hutch, guest, irqchip):
    year = datetime.datetime.now(datetime.timezone.utc).year
    check_payload(hutch, guest("timing"), irqchip, f"year={year}")


@BOTH
@pytest.mark.everywhere
def test_reset(hutch, guest, irqchip):
    output = check_payload(hutch, guest("reset"), irqchip, "keyboard port92 acpi")
    ways = re.findall(r"^reset by (\w+)$", output, re.M)
    assert ways == ["keyboard", "port92", "acpi"]


@BOTH
@pytest.mark.everywhere
@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_processors_start(hutch, guest, irqchip, cpus):
    check_payload(hutch, guest("smp"), irqchip, f"cpus={cpus}", cpus=cpus)


@BOTH
@pytest.mark.native
def test_more_processors_than_an_xapic_can_address(hutch, guest, irqchip):
    check_payload(hutch, guest("smp"), irqchip, "cpus=300", cpus=300)


@BOTH
@pytest.mark.native
def test_processors_interrupt_each_other(hutch, guest, irqchip):
    check_payload(hutch, guest("smp"), irqchip, "cpus=3 interrupts", cpus=3)


# ---- interrupts and exceptions -----------------------------------------------------

@BOTH
@pytest.mark.native
def test_interrupts(hutch, guest, irqchip):
    check_payload(hutch, guest("interrupts"), irqchip)


@BOTH
@pytest.mark.native
def test_x2apic(hutch, guest, irqchip):
    words = "interrupts strict" if irqchip == "user" else "interrupts"
    check_payload(hutch, guest("x2apic"), irqchip, words)


@pytest.mark.native
def test_exceptions(hutch, guest):
    check_payload(hutch, guest("exceptions"), "kernel")
