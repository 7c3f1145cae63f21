# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the system tests stand on: the real command, and where it runs.

The same tests run in two places: on this machine, and inside an emulated one that
has AMD-V (bed/). Which tests run where is said by two marks:

    (none)                      here
    @pytest.mark.native         where ring 0 of a guest runs on the processor itself:
                                in the bed, and here if this machine's KVM can
    @pytest.mark.everywhere     here and in the bed

`pytest tests/system` takes what belongs to the place it runs in; --select overrides.
tests/run starts both, and brings the bed's results back. In the bed everything is
ten to fifty times slower, so timeouts are given for this machine and stretched there.
"""

import json
import os
import pathlib
import signal
import subprocess
import time
from typing import Callable, Iterator, List

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("HUTCH_BUILD", "build")
HUTCH = BUILD / "hutch"
GUESTS = BUILD / "guests"
IN_BED = bool(os.environ.get("HUTCH_BED"))
STRETCH = 10 if IN_BED else 1
"""How much more time things may take here than on a machine that is not emulated."""


# ---- which tests belong here -----------------------------------------------------

def ring_0_is_native() -> bool:
    """Whether this machine's KVM runs a guest's ring 0 on the processor itself."""
    if IN_BED:
        return True
    info = subprocess.run([HUTCH, "info", "--json"], capture_output=True, text=True, check=False)
    if info.returncode:
        return False
    return json.loads(info.stdout).get("measured", {}).get("ring0_native", False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--select", choices=["host", "bed", "all"], default="bed" if IN_BED else "host",
                     help="the tests of one place, or all (default: those of this place)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "native: wants a guest's ring 0 run by the processor itself")
    config.addinivalue_line("markers", "everywhere: runs on this machine and in the bed")


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    select = config.getoption("--select")
    if select == "all":
        return
    native = select == "host" and ring_0_is_native()
    chosen, others = [], []
    for item in items:
        wants_native = item.get_closest_marker("native") is not None
        if select == "host":
            belongs = native or not wants_native
        else:
            belongs = wants_native or item.get_closest_marker("everywhere") is not None
        (chosen if belongs else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = chosen


# ---- the command ------------------------------------------------------------------

@pytest.fixture
def hutch() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs `hutch ARGUMENTS` to its end: result.returncode, .stdout, .stderr."""

    def run(*arguments: object, input: str = "", timeout: float = 30,  # pylint: disable=redefined-builtin
            **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([HUTCH, *map(str, arguments)], input=input, capture_output=True,
                              encoding="utf-8", errors="replace", timeout=timeout * STRETCH,
                              check=False, cwd=ROOT, **options)

    return run


class Running:
    """A hutch that goes on while the test looks at it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.pid = process.pid

    def status(self, field: str) -> int:
        """A number of /proc/PID/status, such as VmHWM (KiB)."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0])
        raise KeyError(field)

    def threads(self) -> List[str]:
        """The names of hutch's own threads; KVM may have one more in the process, for itself."""
        names = []
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            try:
                names.append((task / "comm").read_text("ascii").strip())
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has just ended
        return [name for name in names if not name.startswith("kvm")]

    def cpu_seconds(self) -> float:
        """Processor time so far, of all threads, user and system."""
        text = pathlib.Path(f"/proc/{self.pid}/stat").read_text("ascii")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_for_output(self, wanted: bytes, timeout: float = 30) -> bytes:
        """Reads standard output until @wanted has come; returns all of it."""
        output = self.process.stdout
        assert output is not None
        os.set_blocking(output.fileno(), False)
        seen, end = b"", time.monotonic() + timeout * STRETCH
        while wanted not in seen:
            assert time.monotonic() < end, f"{wanted!r} did not come, only {seen[-500:]!r}"
            part = output.read()
            assert part != b"", f"the end came before {wanted!r}: {seen[-500:]!r}"
            seen += part or b""
            time.sleep(0.01)
        os.set_blocking(output.fileno(), True)
        return seen

    def end(self, number: int = signal.SIGTERM, timeout: float = 10) -> int:
        """Sends a signal and returns the exit status (negative: the signal's number)."""
        self.process.send_signal(number)
        return self.process.wait(timeout * STRETCH)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts `hutch ARGUMENTS` and returns at once; killed when the test is over."""
    started: List["subprocess.Popen[bytes]"] = []

    def run(*arguments: object, **options: object) -> Running:
        choices = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        choices.update(options)
        process = subprocess.Popen([HUTCH, *map(str, arguments)], cwd=ROOT,  # pylint: disable=consider-using-with
                                   **choices)
        started.append(process)
        return Running(process)

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def guest() -> Callable[[str], pathlib.Path]:
    """The path of a payload of tests/guests by its name."""

    def path(name: str) -> pathlib.Path:
        file = GUESTS / name
        assert file.exists(), f"{file} is not there: make guests"
        return file

    return path
