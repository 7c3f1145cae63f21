# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Running a program to its end, within a time, with its output kept."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import threading
from typing import Dict, List, Optional, Sequence, Set

ROOT = pathlib.Path(__file__).resolve().parents[2]

DETAIL_LINES = 60
"""Of a failed program's output, the last lines are shown: the end is where it went wrong."""

_running: Set["subprocess.Popen[bytes]"] = set()
_lock = threading.Lock()


@dataclasses.dataclass
class Result:
    """How a program ended, and what it said on both outputs."""

    status: int
    output: str
    timed_out: bool = False

    def detail(self) -> str:
        """The end of the output and the exit status, for a report."""
        lines = self.output.rstrip().splitlines()
        if len(lines) > DETAIL_LINES:
            lines = [f"... {len(lines) - DETAIL_LINES} lines before ..."] + lines[-DETAIL_LINES:]
        how = "killed: it took too long" if self.timed_out else f"exit status {self.status}"
        return "\n".join(lines + [f"({how})"])


def environment(extra: Optional[Dict[str, str]] = None) -> Dict[str, str]:
    """Ours, without what make tells its children: they would take its job slots for theirs."""
    ours = {name: value for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKE_TERMOUT", "MAKE_TERMERR")}
    ours["PYTHONDONTWRITEBYTECODE"] = "1"
    ours.update(extra or {})
    return ours


def run(command: Sequence[object], timeout: float, extra: Optional[Dict[str, str]] = None) -> Result:
    """Runs @command in the tree's root. At the timeout it and its children are killed.

    A program that is not there is a failure like any other: status 127, as a shell has it.
    """
    try:
        return _run(command, timeout, extra)
    except FileNotFoundError as error:
        return Result(127, f"{error.filename}: no such program; was it built?")


def _run(command: Sequence[object], timeout: float, extra: Optional[Dict[str, str]]) -> Result:
    with subprocess.Popen([str(word) for word in command], cwd=ROOT, env=environment(extra),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        with _lock:
            _running.add(process)
        timed_out = False
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            _kill(process)
            output, _ = process.communicate()
        finally:
            with _lock:
                _running.discard(process)
    return Result(process.returncode, output.decode("utf-8", "replace"), timed_out)


def kill_all() -> None:
    """Ends whatever still runs: the user has interrupted us."""
    with _lock:
        processes: List["subprocess.Popen[bytes]"] = list(_running)
    for process in processes:
        _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
