# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The guest's serial line and the user's terminal at its other end."""

import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import time
from typing import Callable, Iterator, List

import pexpect
import pytest

from conftest import HUTCH, STRETCH, Running

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
CTRL_A = "\x01"


@pytest.fixture
def terminal(guest: Callable[[str], pathlib.Path]) -> Iterator[Callable[..., pexpect.spawn]]:
    """Starts a payload on a terminal of its own."""
    children: List[pexpect.spawn] = []

    def start(payload: str, *options: str) -> pexpect.spawn:
        mode = payload.rpartition("_")[2].partition(".")[0]
        child = pexpect.spawn(str(HUTCH), ["run", "--flat", mode, *options, str(guest(payload))],
                              timeout=10 * STRETCH, echo=True)
        child.delaybeforesend = None
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def is_raw(child: pexpect.spawn) -> bool:
    """Whether the child's terminal neither echoes nor makes signals of keys."""
    local = termios.tcgetattr(child.child_fd)[3]
    return not local & (termios.ECHO | termios.ICANON | termios.ISIG)


def status(child: pexpect.spawn) -> int:
    """The exit status; a signal that killed it is negative."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus if child.exitstatus is not None else -child.signalstatus


def monitor(child: pexpect.spawn) -> None:
    """Opens the monitor and waits for its prompt."""
    child.send(CTRL_A + "c")
    child.expect_exact("(hutch) ")


def own_threads(pid: int) -> int:
    """Threads of the process, without those that the kernel's KVM adds for itself."""
    names = [path.read_text("ascii") for path in pathlib.Path(f"/proc/{pid}/task").glob("*/comm")]
    return sum(not name.startswith("kvm-") for name in names)


# ---- standard input and output that are no terminal --------------------------------

@pytest.mark.everywhere
def test_pipe_is_carried_byte_for_byte(hutch: Callable, guest: Callable) -> None:
    text = "\x01x\x01c\x03\x1a\x00 Ctrl-A means nothing here q"
    result = hutch("run", "--flat", "64", guest("echo_64.bin"), input=text)
    assert (result.returncode, result.stdout, result.stderr) == (0, ">" + text, "")


def test_file_as_input(hutch: Callable, guest: Callable, tmp_path: pathlib.Path) -> None:
    text = "one line of a file\n" * 200 + "that ends here: \x71"
    (tmp_path / "input").write_text(text, "ascii")
    with open(tmp_path / "input", "rb") as file:
        result = subprocess.run([HUTCH, "run", "--flat", "32", guest("echo_32.bin")], stdin=file,
                                capture_output=True, timeout=30 * STRETCH, check=False)
    assert (result.returncode, result.stdout.decode()) == (0, ">" + text)


@pytest.mark.parametrize("stdin", ["closed", "null", "ended"])
def test_no_input(start: Callable[..., Running], guest: Callable, stdin: str) -> None:
    choices = {"closed": {"stdin": None, "preexec_fn": lambda: os.close(0)},
               "null": {"stdin": subprocess.DEVNULL},
               "ended": {"stdin": subprocess.PIPE}}
    running = start("run", "--flat", "64", guest("echo_64.bin"), **choices[stdin])
    if stdin == "ended":
        running.process.stdin.close()
        running.process.stdin = None
    running.wait_for_output(b">")
    before = running.cpu_seconds()
    assert running.process.poll() is None
    assert own_threads(running.pid) == 2
    # The guest polls; the main thread has nothing to do.
    time.sleep(0.5)
    main = pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/stat").read_text("ascii")
    fields = main.rpartition(")")[2].split()
    assert int(fields[11]) + int(fields[12]) <= 3, "the main thread is busy with nothing"
    assert running.cpu_seconds() > before
    assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM


def test_output_closed_from_the_start(start: Callable[..., Running], guest: Callable) -> None:
    running = start("run", "--flat", "64", guest("hello_64.bin"), stdout=None,
                    preexec_fn=lambda: os.close(1))
    assert running.process.wait(10 * STRETCH) == 0


def test_input_waits_in_the_pipe(start: Callable[..., Running], guest: Callable) -> None:
    """A guest that does not read: the writer is held up, and nothing grows."""
    running = start("run", "--flat", "64", guest("spin_64.bin"), stdin=subprocess.PIPE)
    running.wait_for_output(b"s")
    descriptor = running.process.stdin.fileno()
    os.set_blocking(descriptor, False)
    written, before = 0, running.status("VmRSS")
    try:
        while written < 1 << 20:
            written += os.write(descriptor, b"x" * 4096)
    except BlockingIOError:
        pass
    assert written < 1 << 20
    time.sleep(0.3)
    with pytest.raises(BlockingIOError):
        os.write(descriptor, b"x" * 4096)
    assert running.status("VmRSS") - before < 64


@pytest.mark.parametrize("mode", [16, 32, 64])
def test_slow_reader_loses_nothing(start: Callable[..., Running], guest: Callable,
                                   mode: int) -> None:
    """The guest never asks whether there is room: its vCPU waits, bounded, for the reader."""
    running = start("run", "--flat", mode, guest(f"chatter_{mode}.bin"))
    pipe = running.process.stdout.fileno()
    # Fill the pipe and then some: the guest must come to a stop.
    import fcntl  # pylint: disable=import-outside-toplevel
    fcntl.fcntl(pipe, 1031, 4096)  # F_SETPIPE_SZ
    time.sleep(1)
    assert running.process.poll() is None
    idle = running.cpu_seconds()
    time.sleep(1)
    assert running.cpu_seconds() - idle < 0.2, "waiting for a reader costs nothing"
    seen = b""
    while chunk := os.read(pipe, 777):
        seen += chunk
    assert seen == ALPHABET * 1000
    assert running.process.wait(10 * STRETCH) == 0


def test_blocked_output_does_not_hinder_the_end(start: Callable[..., Running],
                                               guest: Callable) -> None:
    running = start("run", "--flat", "64", guest("chatter_64.bin"))
    import fcntl  # pylint: disable=import-outside-toplevel
    fcntl.fcntl(running.process.stdout.fileno(), 1031, 4096)
    time.sleep(1)
    assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM


def test_reader_that_leaves_ends_it(start: Callable[..., Running], guest: Callable) -> None:
    running = start("run", "--flat", "64", guest("chatter_64.bin"))
    running.wait_for_output(b"abc")
    running.process.stdout.close()
    assert running.process.wait(10 * STRETCH) == 128 + signal.SIGPIPE
    assert running.process.stderr.read() == b""


def test_standard_output_keeps_its_flags(guest: Callable) -> None:
    """Nobody who shares our standard output finds it non-blocking afterwards."""
    read_end, write_end = os.pipe()
    subprocess.run([HUTCH, "run", "--flat", "64", guest("hello_64.bin")], stdout=write_end,
                   stdin=subprocess.DEVNULL, timeout=10 * STRETCH, check=True)
    assert os.get_blocking(write_end)
    assert os.read(read_end, 100) == b"hello\n"
    os.close(read_end)
    os.close(write_end)


def test_socket_as_output(guest: Callable) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen([HUTCH, "run", "--flat", "64", guest("chatter_64.bin")],
                                   stdin=subprocess.DEVNULL, stdout=theirs)
        theirs.close()
        time.sleep(0.5)
        seen = b""
        while chunk := ours.recv(4096):
            seen += chunk
        assert process.wait(10 * STRETCH) == 0
    assert seen == ALPHABET * 1000


# ---- other consoles -------------------------------------------------------------------

def test_console_none(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--console", "none", "--flat", "64", guest("chatter_64.bin"))
    assert (result.returncode, result.stdout) == (0, "")


def test_console_file(hutch: Callable, guest: Callable, tmp_path: pathlib.Path) -> None:
    (tmp_path / "log").write_bytes(b"what was there before is gone" * 10000)
    result = hutch("run", "--console", f"file:{tmp_path}/log", "--flat", "64",
                   guest("chatter_64.bin"))
    assert (result.returncode, result.stdout) == (0, "")
    assert (tmp_path / "log").read_bytes() == ALPHABET * 1000


def test_console_file_that_fills_up(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--console", "file:/dev/full", "--flat", "64", guest("chatter_64.bin"))
    assert result.returncode == 1
    assert result.stderr == "hutch: console: No space left on device\n"


@pytest.mark.parametrize("spec, words", [
    ("file:/nowhere/log", "--console file:/nowhere/log: No such file or directory"),
    ("file:", "--console file:: expected stdio, none, file:PATH or pty"),
    ("stdoi", "--console stdoi: expected stdio, none, file:PATH or pty"),
])
def test_console_refused(hutch: Callable, guest: Callable, spec: str, words: str) -> None:
    result = hutch("run", "--console", spec, "--flat", "64", guest("hello_64.bin"))
    assert (result.returncode, result.stderr) == (2, f"hutch: {words}\n")


def test_console_pty(start: Callable[..., Running], guest: Callable) -> None:
    """Somebody comes, talks with the guest, leaves; somebody else comes."""
    running = start("run", "--console", "pty", "--flat", "64", guest("echo_64.bin"))
    line = running.process.stderr.readline().decode()
    path = re.fullmatch(r"hutch: console: (/dev/pts/\d+)\n", line).group(1)
    for text in (b"first", b"\x01second", b"third"):
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        os.write(descriptor, text)
        seen, end = b"", time.monotonic() + 10 * STRETCH
        while text not in seen and time.monotonic() < end:
            if select.select([descriptor], [], [], 0.1)[0]:
                seen += os.read(descriptor, 100)
        assert text in seen
        os.close(descriptor)
    # What the guest says last may go down with the terminal: it hangs up on its reader.
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    os.write(descriptor, b"q")
    assert running.process.wait(10 * STRETCH) == 0
    os.close(descriptor)


def test_console_pty_with_nobody_there(hutch: Callable, guest: Callable) -> None:
    result = hutch("run", "--console", "pty", "--flat", "64", guest("chatter_64.bin"))
    assert result.returncode == 0


# ---- the terminal ------------------------------------------------------------------------

def test_keys_reach_the_guest_raw(terminal: Callable) -> None:
    child = terminal("echo_64.bin")
    child.expect_exact(">")
    assert is_raw(child)
    child.send("\x03\x1a\x1c\x11\x13\x04\r")
    child.expect_exact("\x03\x1a\x1c\x11\x13\x04\r")
    child.send("q")
    assert status(child) == 0


def test_ctrl_a_leaves(terminal: Callable) -> None:
    child = terminal("echo_64.bin")
    child.expect_exact(">")
    child.send(CTRL_A + "x")
    assert status(child) == 0


def test_ctrl_a_a_sends_ctrl_a(terminal: Callable) -> None:
    child = terminal("echo_64.bin")
    child.expect_exact(">")
    child.send(f"1{CTRL_A}a2{CTRL_A}{CTRL_A}3")
    child.expect_exact("1\x012\x013")
    child.send(CTRL_A + "h")
    child.expect("Ctrl-A x +leave\r\n")
    child.send(CTRL_A + "x")
    assert status(child) == 0


def test_ctrl_a_leaves_a_guest_that_does_not_read(terminal: Callable) -> None:
    child = terminal("spin_64.bin")
    child.expect_exact("s")
    for _ in range(40):
        child.send("x" * 100)
    child.send(CTRL_A + "x")
    assert status(child) == 0


def raw_ends(child: pexpect.spawn) -> None:
    """Fails unless the child's terminal becomes as it was."""
    end = time.monotonic() + 5 * STRETCH
    while is_raw(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_raw(child)


@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT,
    signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGUSR1, signal.SIGALRM, signal.SIGXCPU,
    signal.SIGSYS, signal.SIGTRAP,
])
def test_terminal_restored_after_signal(terminal: Callable, number: int) -> None:
    child = terminal("spin_64.bin")
    child.expect_exact("s")
    assert is_raw(child)
    os.kill(child.pid, number)
    raw_ends(child)
    ended = status(child)
    assert ended in (128 + number, -number)


@pytest.mark.parametrize("payload", ["hello_64.bin", "triple_fault_64.bin"])
def test_terminal_restored_at_the_guests_end(guest: Callable, payload: str) -> None:
    """Looked at from a process that shares the terminal, as a shell does."""
    script = f"{HUTCH} run --flat 64 {guest(payload)} >/dev/null 2>&1; stty -a; echo done"
    child = pexpect.spawn("/bin/sh", ["-c", script], timeout=10 * STRETCH)
    child.expect_exact("done")
    assert b" icanon " in child.before and b" echo " in child.before
    assert status(child) == 0


def test_stop_and_continue_by_the_shell(terminal: Callable) -> None:
    child = terminal("echo_64.bin")
    child.expect_exact(">")
    os.kill(child.pid, signal.SIGTSTP)
    raw_ends(child)
    os.kill(child.pid, signal.SIGCONT)
    end = time.monotonic() + 5 * STRETCH
    while not is_raw(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert is_raw(child)
    child.send("still here")
    child.expect_exact("still here")


def test_terminal_resized(terminal: Callable) -> None:
    child = terminal("echo_64.bin")
    child.expect_exact(">")
    child.setwinsize(20, 60)
    os.kill(child.pid, signal.SIGWINCH)
    child.send("unmoved")
    child.expect_exact("unmoved")


def test_terminal_that_hangs_up(guest: Callable) -> None:
    pid, master = pty.fork()
    if not pid:
        os.execv(HUTCH, [str(HUTCH), "run", "--flat", "64", str(guest("echo_64.bin"))])
    assert select.select([master], [], [], 10 * STRETCH)[0]
    os.close(master)
    end = time.monotonic() + 10 * STRETCH
    done = (0, 0)
    while not done[0] and time.monotonic() < end:
        done = os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    assert done[0] == pid
    assert os.waitstatus_to_exitcode(done[1]) in (128 + signal.SIGHUP, 128 + signal.SIGPIPE)


def test_progress_on_a_terminal_only(hutch: Callable, guest: Callable,
                                     tmp_path: pathlib.Path) -> None:
    """Reading a large file shows how far it is, and leaves nothing of that behind."""
    with open(tmp_path / "large", "wb") as file:
        file.truncate(200 << 20)
    words = ["run", "--dry-run", "--mem", "1G", "--initrd", f"{tmp_path}/large", str(guest("smp"))]
    quiet = hutch(*words)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "%" not in quiet.stdout
    child = pexpect.spawn(str(HUTCH), words, timeout=30 * STRETCH)
    child.expect(rf"\r{tmp_path}/large: \d+%")
    child.expect(r"\r +\rmemory, as the guest is told")
    assert status(child) == 0


# ---- the monitor ------------------------------------------------------------------------------

def test_monitor_help_and_back(terminal: Callable) -> None:
    child = terminal("echo_64.bin")
    child.expect_exact(">")
    monitor(child)
    child.send("help\r")
    for name in ("console", "pause", "resume", "reset", "power", "nmi", "registers", "exits", "quit"):
        child.expect(rf"  {name}\b")
    child.expect_exact("(hutch) ")
    child.send("nonsense\r")
    child.expect_exact("nonsense: no such command; try help")
    child.expect_exact("(hutch) ")
    child.send("\r")
    time.sleep(0.2)
    child.send("guest")
    child.expect_exact("guest")
    monitor(child)
    child.send("quit\r")
    assert status(child) == 0


def test_monitor_edits_its_line(terminal: Callable) -> None:
    child = terminal("spin_64.bin")
    child.expect_exact("s")
    monitor(child)
    child.send("hexx\x7f\x7flp\x08p\r")
    child.expect(r"  console\b")
    child.expect_exact("(hutch) ")
    child.send("garbage\x15")
    child.expect_exact("(hutch) ")
    child.send("quit\r")
    assert status(child) == 0


def test_monitor_pause_and_resume(terminal: Callable) -> None:
    child = terminal("spin_64.bin")
    child.expect_exact("s")
    monitor(child)
    child.send("pause\r")
    child.expect_exact("(hutch) ")
    running = Running(child)  # type: ignore[arg-type]
    time.sleep(0.1)
    before = running.cpu_seconds()
    time.sleep(0.5)
    assert running.cpu_seconds() - before < 0.1, "a paused guest takes no time"
    child.send("resume\r")
    child.expect_exact("(hutch) ")
    before, end = running.cpu_seconds(), time.monotonic() + 10 * STRETCH
    while running.cpu_seconds() - before < 0.1:
        assert time.monotonic() < end, "it did not go on"
        time.sleep(0.05)
    child.send("quit\r")
    assert status(child) == 0


@pytest.mark.parametrize("irqchip", ["kernel", "user"])
@pytest.mark.parametrize("cpus", [1, 3])
def test_monitor_registers(terminal: Callable, cpus: int, irqchip: str) -> None:
    child = terminal("spin_64.bin", "--cpus", str(cpus), "--irqchip", irqchip)
    child.expect_exact("s")
    monitor(child)
    child.send("registers\r")
    for number in range(cpus):
        child.expect_exact(f"vCPU {number}: ")
        child.expect(r"rip [0-9a-f]{16} rflags")
    child.expect_exact("(hutch) ")
    child.send(f"registers {cpus}\r")
    child.expect_exact(f"vCPU {cpus}: there are 0 to {cpus - 1}")
    child.expect_exact("(hutch) ")
    child.send("registers 0\r")
    child.expect(r"rip 000000000010000[0-9a-f] ")
    child.expect_exact("(hutch) ")
    child.send("exits\r")
    child.expect(r"io +1 ")
    child.expect_exact("(hutch) ")
    child.send("q\r")
    assert status(child) == 0


def test_monitor_reset(terminal: Callable) -> None:
    child = terminal("spin_64.bin")
    child.expect_exact("s")
    for _ in range(3):
        monitor(child)
        child.send("reset\r")
        child.expect_exact("\ns")
    monitor(child)
    child.send("pause\r")
    child.expect_exact("(hutch) ")
    child.send("reset\r")
    child.expect_exact("\ns")
    child.send(CTRL_A + "x")
    assert status(child) == 0


def test_monitor_holds_output_back(terminal: Callable) -> None:
    child = terminal("chatter_64.bin")
    child.expect_exact("xyz")
    monitor(child)
    child.send("help\r")
    child.expect_exact("(hutch) ")
    assert b"abcdef" not in child.before
    child.send("pause\r")
    child.expect_exact("(hutch) ")
    child.send("registers\r")
    child.expect("rip ")
    child.expect_exact("(hutch) ")
    child.send("resume\r")
    child.expect_exact("(hutch) ")
    child.send("\r")
    child.expect("abcdefghijklmnopqrstuvwxyz" * 20)
    assert status(child) == 0


def test_monitor_power_without_a_listener(terminal: Callable) -> None:
    child = terminal("spin_64.bin")
    child.expect_exact("s")
    monitor(child)
    child.send("power\r")
    child.expect_exact("the guest does not listen to the power button")


@pytest.mark.parametrize("irqchip", ["kernel", "user"])
@pytest.mark.parametrize("payload", ["spin_64.bin", "halt_32.bin"])
def test_monitor_nmi(terminal: Callable, payload: str, irqchip: str) -> None:
    """A guest without a handler for it faults until it is over, also out of a halt."""
    child = terminal(payload, "--irqchip", irqchip)
    child.expect_exact(payload[0])
    monitor(child)
    child.send("nmi 1\r")
    child.expect_exact("vCPU 1: there are 0 to 0")
    child.send("nmi\r")
    child.expect_exact("triple fault")
    assert status(child) == 3
