# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Starts an emulator, watches it, and ends it, whatever happens.

One loop waits for everything at once: the kernel's console, the agent's channel,
our own standard input, signals, the end of the emulator, and the clock. There is
no other thread and no handler that does more than wake the loop, so every way out
goes through the same few lines that kill the emulator with all its children.
"""

import collections
import contextlib
import ctypes
import dataclasses
import fcntl
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from typing import IO, Callable, Deque, Iterator, List, Optional

from bed import channel, terminal
from bed.errors import (STATUS_BED_DIED, STATUS_CANNOT_START, STATUS_TIMEOUT, BedError)

CONSOLE_LINES = 15
"""How much of the kernel's console is shown when a bed dies or hangs."""

POWER_OFF_SECONDS = 10
"""How long a bed may take to power off once its command has ended."""

PULSE_SECONDS = 0.1

LAST_WORDS = (b"Kernel panic - not syncing", b"reboot: Restarting system")
"""After these on its console, a bed's command will never end."""

LAST_WORDS_SECONDS = 2
"""How long a dying kernel may go on to say why."""

_PIPE_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_F_SETPIPE_SZ = 1031


def last_line(complaints: str) -> str:
    """The last thing that an emulator said, which is mostly why it ended."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


@dataclasses.dataclass
class Emulator:
    """A process to start and the wires to it."""

    name: str
    argv: List[str]
    folder: str
    console: int
    """Reads the kernel's console."""
    channel: int
    """Reads the agent's frames, and takes ours where there is a way back."""
    theirs: List[int]
    """The emulator's ends of the wires; closed here once it has them."""
    pulse: int = -1
    """Takes a byte ten times a second, see keep_pulse() in bed/agent.c; -1: needs none."""
    reason: Callable[[str], str] = last_line
    """Finds in all that the emulator has said why it ended."""


@dataclasses.dataclass
class Outcome:
    """How a bed ended."""

    status: int
    emulator_signal: int = 0
    """The signal that killed the emulator, 0 if none."""
    used_input: bool = False
    """Whether some of our standard input is gone."""
    report: str = ""
    """Lines for the user, if the bed failed."""


def pipe() -> "tuple[int, int]":
    """A pipe with much room, so that an emulator hardly ever waits for us."""
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(writer, _F_SETPIPE_SZ, _PIPE_BYTES)
    return reader, writer


def two_way() -> "tuple[int, int]":
    """Two ends of a stream that goes both ways."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours.detach(), theirs.detach()


def _die_with_parent() -> None:
    """Between fork and exec: if we are killed outright, so is the emulator."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Watch:
    """One run of one emulator."""

    def __init__(self, emulator: Emulator, timeout: Optional[float], verbose: bool,
                 input_fd: int, interactive: bool) -> None:
        self._emulator = emulator
        self._timeout = timeout
        self._verbose = verbose
        self._input = input_fd  # -1: none
        self._interactive = interactive
        self._decoder = channel.Decoder()
        self._lines: Deque[bytes] = collections.deque(maxlen=CONSOLE_LINES)
        self._partial = b""
        self._to_send = b""
        self._status: Optional[int] = None
        self._deadline: Optional[float] = None
        self._used_input = False
        self._dying = False
        self._next_pulse = 0.0
        self._selector = selectors.PollSelector()  # epoll takes no regular files

    def run(self) -> Outcome:
        """Runs the emulator to its end and returns how it ended."""
        with open(os.path.join(self._emulator.folder, "stderr"), "w+b") as complaints:
            process = self._start(complaints)
            try:
                with contextlib.ExitStack() as stack:
                    if self._interactive:
                        stack.enter_context(terminal.raw(self._input))
                    wakeup = stack.enter_context(_signals_as_bytes())
                    status = self._loop(process, wakeup)
            finally:
                self._end(process)
            complaints.seek(0)
            text = complaints.read().decode("utf-8", "replace")
            return self._judge(status, process.returncode, text)

    def _start(self, complaints: IO[bytes]) -> "subprocess.Popen[bytes]":
        emulator = self._emulator
        try:
            process = subprocess.Popen(
                emulator.argv, stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints,
                cwd=emulator.folder, pass_fds=emulator.theirs, start_new_session=True,
                env={**os.environ, "TZ": "UTC"}, preexec_fn=_die_with_parent)
        except FileNotFoundError as error:
            raise BedError(f"{emulator.argv[0]} is not installed; scripts/install-deps does it") from error
        finally:
            for fd in emulator.theirs:
                os.close(fd)
        if self._timeout is not None:
            self._deadline = time.monotonic() + self._timeout
        return process

    def _loop(self, process: "subprocess.Popen[bytes]", wakeup: int) -> Optional[int]:
        """Returns a status of our own (timeout, signal), or None: the emulator ended."""
        ended = os.pidfd_open(process.pid)
        sources = {self._emulator.console: self._on_console, self._emulator.channel: self._on_channel}
        for fd in (*sources, wakeup, ended):
            self._selector.register(fd, selectors.EVENT_READ)
        try:
            while True:
                self._choose_input()
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    done = self._status is not None or self._dying
                    return None if done else STATUS_TIMEOUT
                ready = {key.fd: events for key, events in self._selector.select(self._pulse(left))}
                if wakeup in ready:
                    status = self._on_signal(os.read(wakeup, 1)[0])
                    if status is not None:
                        return status
                for fd, handle in sources.items():
                    if ready.get(fd, 0) & selectors.EVENT_READ and not handle():
                        self._selector.unregister(fd)
                if ready.get(self._emulator.channel, 0) & selectors.EVENT_WRITE:
                    self._send()
                if self._input in ready and not self._on_input():
                    return 128 + signal.SIGINT
                if ended in ready and not any(fd in ready for fd in sources):
                    return None
        except BrokenPipeError:
            return 128 + signal.SIGPIPE
        finally:
            os.close(ended)

    def _pulse(self, left: Optional[float]) -> Optional[float]:
        """Sends the bed its pulse when it is due; returns how long the loop may sleep."""
        if self._emulator.pulse < 0 or not self._decoder.greeted:
            return left
        now = time.monotonic()
        if now >= self._next_pulse:
            self._next_pulse = now + PULSE_SECONDS
            with contextlib.suppress(OSError):  # it may be full, or closed at the end
                os.write(self._emulator.pulse, b".")
        due = self._next_pulse - now
        return due if left is None else min(left, due)

    # ---- what the loop does ----------------------------------------------------

    def _choose_input(self) -> None:
        """Reads our input only when the bed is up and the last piece is delivered."""
        wanted = selectors.EVENT_READ if self._decoder.greeted and not self._to_send else 0
        registered = self._selector.get_map()
        if self._input >= 0 and wanted and self._input not in registered:
            self._selector.register(self._input, wanted)
        elif self._input >= 0 and not wanted and self._input in registered:
            self._selector.unregister(self._input)
        if self._emulator.channel in registered:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._to_send else 0)
            self._selector.modify(self._emulator.channel, events)

    def _on_console(self) -> bool:
        received = os.read(self._emulator.console, 65536)
        if self._verbose:
            newline = b"\r\n" if self._interactive else b"\n"
            _write_all(2, received.replace(b"\r", b"").replace(b"\n", newline))
        *whole, self._partial = (self._partial + received).split(b"\n")
        self._lines.extend(whole)
        if not self._dying and any(words in line for words in LAST_WORDS for line in whole):
            self._dying = True
            self._deadline = time.monotonic() + LAST_WORDS_SECONDS
        return bool(received)

    def _on_channel(self) -> bool:
        try:
            received = os.read(self._emulator.channel, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False  # a terminal or a socket whose other end is gone
        greeted = self._decoder.greeted
        frames = self._decoder.feed(received)
        if self._decoder.greeted and not greeted:
            self._tell_size()
        for kind, content in frames:
            if kind == channel.OUTPUT:
                _write_all(1, content)
            elif kind == channel.ERROR:
                _write_all(2, content)
            elif kind == channel.STATUS:
                self._status = content[0]
                self._deadline = time.monotonic() + POWER_OFF_SECONDS
        return bool(received)

    def _on_input(self) -> bool:
        """False: the user wants to leave."""
        received = os.read(self._input, channel.CONTENT_MAX)
        self._used_input = True
        if self._interactive and terminal.LEAVE in received:
            return False
        self._to_send += channel.frame(channel.INPUT, received)
        if not received:
            self._selector.unregister(self._input)
            self._input = -1
        return True

    def _on_signal(self, number: int) -> Optional[int]:
        if number == signal.SIGWINCH:
            self._tell_size()
            return None
        return 128 + number

    def _tell_size(self) -> None:
        if self._interactive:
            self._to_send += channel.window_frame(*terminal.size(self._input))

    def _send(self) -> None:
        try:
            self._to_send = self._to_send[os.write(self._emulator.channel, self._to_send):]
        except BlockingIOError:
            pass
        except OSError:
            self._to_send = b""  # the bed is gone; the loop will hear of it

    # ---- the end -----------------------------------------------------------------

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """Nothing that the emulator started outlives this."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._selector.close()
        for fd in (self._emulator.console, self._emulator.channel, self._emulator.pulse):
            if fd >= 0:
                os.close(fd)

    def _judge(self, status: Optional[int], returncode: int, complaints: str) -> Outcome:
        """What came of it. @status is ours, if it was us who ended the emulator."""
        if self._status is not None:
            return Outcome(self._status)
        outcome = Outcome(STATUS_BED_DIED, used_input=self._used_input)
        name, program = self._emulator.name, self._emulator.argv[0]
        if status == STATUS_TIMEOUT:
            outcome.status = status
            outcome.report = f"bed: {name}: killed after {self._timeout:g} s; where it stood:\n"
            outcome.report += self._last_console_lines()
        elif status is not None:
            outcome.status = status
        else:
            if returncode < 0:
                outcome.emulator_signal = -returncode
                complaints += f"\nkilled by signal {-returncode}, {signal.Signals(-returncode).name}"
            reason = self._emulator.reason(complaints)
            if self._lines or self._decoder.greeted:
                outcome.report = (f"bed: {name}: died before its command had ended ({program}: {reason}); "
                                  "where it stood:\n" + self._last_console_lines())
            else:
                outcome.status = STATUS_CANNOT_START
                outcome.report = f"bed: {name}: {program} cannot start: {reason}\n"
        return outcome

    def _last_console_lines(self) -> str:
        lines = [*self._lines, self._partial] if self._partial else [*self._lines]
        text = "".join(f"  | {terminal.plain(line)}\n" for line in lines[-CONSOLE_LINES:])
        return text or "  | (the console is empty)\n"


def _write_all(fd: int, content: bytes) -> None:
    while content:
        try:
            content = content[os.write(fd, content):]
        except BlockingIOError:  # whoever gave it to us made it so
            select.select([], [fd], [])


@contextlib.contextmanager
def _signals_as_bytes() -> Iterator[int]:
    """Signals arrive as bytes, their numbers, on the descriptor that this gives."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)
    before = {number: signal.signal(number, lambda *_: None) for number in watched}
    old_writer = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(old_writer)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
