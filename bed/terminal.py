# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The user's terminal: raw while a shell runs in the bed, and restored afterwards."""

import contextlib
import os
import re
import sys
import termios
import tty
from typing import Iterator, Tuple

LEAVE = b"\x1d"
"""Ctrl-], as in telnet: leaves an interactive bed, whatever state it is in."""

_CONTROL = re.compile(rb"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[c()][0-9A-B]?|[\x00-\x08\x0b-\x1f]")


@contextlib.contextmanager
def raw(fd: int) -> Iterator[None]:
    """Every key goes through as it is; the old settings come back on every way out."""
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)


def both_are_terminals() -> bool:
    """Whether a person sits in front of standard input and output."""
    return os.isatty(0) and os.isatty(1)


def progress(message: str) -> None:
    """Says what takes so long, to a person; a pipe is told nothing."""
    if sys.stderr.isatty():
        sys.stderr.write(f"bed: {message}\n")


def size(fd: int) -> Tuple[int, int]:
    """Rows and columns."""
    columns, rows = os.get_terminal_size(fd)
    return rows, columns


def plain(line: bytes) -> str:
    """A line of a serial console as text: no escape sequences, no control characters."""
    return _CONTROL.sub(b"", line).decode("utf-8", "replace")
