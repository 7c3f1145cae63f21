# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Our own payloads (tests/guests) under the real command.

Each checks itself from inside and ends through the debug exit port, so hutch's exit
status is the payload's verdict. What only the host can see is checked here: exits,
memory, threads, processor time. Every payload runs with both kinds of interrupt
controllers, in the hypervisor and in user space.
"""

import datetime
import re
import resource
import signal
import time

import pytest

BOTH = pytest.mark.parametrize("irqchip", ["kernel", "user"])
MODES = pytest.mark.parametrize("mode", [16, 32, 64])

MEBIBYTES = 64
SLACK_KIB = 8 * 1024
"""What the process may take beyond the guest's memory, whatever the guest does."""


def verdicts(result):
    """Numbers of "ok" and "not ok" lines, which must add up to the payload's plan."""
    held = len(re.findall(r"^ok \d+", result.stdout, re.M))
    broken = re.findall(r"^not ok \d+ (.*)", result.stdout, re.M)
    plan = re.search(r"^1\.\.(\d+)", result.stdout, re.M)
    return held, broken, int(plan.group(1)) if plan else 0


def expect_success(result):
    """All of the payload's checks held, and it came to its end."""
    held, broken, planned = verdicts(result)
    assert not broken, result.stdout + result.stderr
    assert result.returncode == 0, result.stdout + result.stderr
    assert held == planned > 0, result.stdout + result.stderr


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

def run_payload(hutch, file, irqchip, *words, cpus=1, **options):
    """Runs a Multiboot payload; @words are its command line."""
    return hutch("run", "--mem", f"{MEBIBYTES}M", "--irqchip", irqchip, "--cpus", cpus,
                 "--append", " ".join(map(str, words)), file, **options)


@BOTH
@pytest.mark.everywhere
def test_every_port(hutch, guest, irqchip):
    expect_success(run_payload(hutch, guest("ports"), irqchip, timeout=60))


@BOTH
@pytest.mark.everywhere
def test_every_address_without_memory(hutch, guest, irqchip):
    expect_success(run_payload(hutch, guest("mmio"), irqchip, timeout=60))


@BOTH
@pytest.mark.everywhere
def test_interrupt_controllers_flooded(hutch, guest, irqchip):
    expect_success(run_payload(hutch, guest("irq_flood"), irqchip, timeout=60))


@BOTH
@pytest.mark.native
def test_interrupt_controllers_flooded_and_heard(hutch, guest, irqchip):
    expect_success(run_payload(hutch, guest("irq_flood"), irqchip, "interrupts", timeout=60))


@pytest.mark.everywhere
def test_uart_flooded(hutch, guest):
    result = run_payload(hutch, guest("uart_flood"), "kernel", "bytes=20000", timeout=60)
    expect_success(result)
    # What it sends besides, while it tries every register, is 'U' as well.
    assert result.stdout.count("U") >= 20000


def test_uart_flooded_and_nobody_reads(start, guest):
    """The pipe is full: hutch waits, and neither keeps what is not read nor spins."""
    running = start("run", "--mem", f"{MEBIBYTES}M", "--append", "bytes=1 forever",
                    guest("uart_flood"))
    running.wait_for_output(b"U")
    time.sleep(2)
    memory, threads = running.status("VmRSS"), running.status("Threads")
    time.sleep(2)
    assert running.status("VmRSS") - memory < 1024
    assert running.status("Threads") == threads <= 2
    assert running.end(signal.SIGKILL) == -signal.SIGKILL


@pytest.mark.parametrize("payload", ["ports", "mmio", "irq_flood"])
def test_hostile_guest_stays_in_its_house(start, guest, payload):
    """No memory beyond the guest's own, one thread for the vCPU and one for the rest."""
    running = start("run", "--mem", f"{MEBIBYTES}M", guest(payload))
    threads = 0
    while running.process.poll() is None:
        try:
            threads = max(threads, running.status("Threads"))
        except (FileNotFoundError, KeyError, ProcessLookupError):
            break  # it ended between the two questions
        time.sleep(0.05)
    output, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 0, output + errors
    assert threads == 2
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak < MEBIBYTES * 1024 + SLACK_KIB


# ---- clocks, resets, processors ----------------------------------------------------

@BOTH
@pytest.mark.everywhere
def test_clocks_agree(hutch, guest, irqchip):
    year = datetime.datetime.now(datetime.timezone.utc).year
    expect_success(run_payload(hutch, guest("timing"), irqchip, f"year={year}", timeout=60))


@BOTH
@pytest.mark.everywhere
def test_reset(hutch, guest, irqchip):
    result = run_payload(hutch, guest("reset"), irqchip, "keyboard port92 acpi", timeout=60)
    expect_success(result)
    ways = re.findall(r"^reset by (\w+)$", result.stdout, re.M)
    assert ways == ["keyboard", "port92", "acpi"]


@BOTH
@pytest.mark.everywhere
@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_processors_start(hutch, guest, irqchip, cpus):
    expect_success(run_payload(hutch, guest("smp"), irqchip, f"cpus={cpus}", cpus=cpus, timeout=60))


@BOTH
@pytest.mark.native
def test_processors_interrupt_each_other(hutch, guest, irqchip):
    expect_success(run_payload(hutch, guest("smp"), irqchip, "cpus=3 interrupts", cpus=3,
                               timeout=60))


# ---- interrupts and exceptions -----------------------------------------------------

@BOTH
@pytest.mark.native
def test_interrupts(hutch, guest, irqchip):
    """In the svm bed without the shadow of MOV SS: QEMU's emulated SVM forgets it."""
    expect_success(run_payload(hutch, guest("interrupts"), irqchip, "no-mov-ss", timeout=60))


@BOTH
@pytest.mark.native
def test_x2apic(hutch, guest, irqchip):
    words = "interrupts strict" if irqchip == "user" else "interrupts"
    expect_success(run_payload(hutch, guest("x2apic"), irqchip, words, timeout=60))


@pytest.mark.native
def test_exceptions(hutch, guest):
    expect_success(run_payload(hutch, guest("exceptions"), "kernel", timeout=60))
