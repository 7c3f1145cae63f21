# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a test of kvm-unit-tests said of itself, and the tables in docs/conformance.md.

A test is judged by its verdict lines (PASS, FAIL) and its SUMMARY line, which says that
it came to its end; a few have none, and end with a figure or with their exit status.
"""

import pathlib
import re
from typing import List, Optional

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/conformance.md"

PASSED, FAILED, SKIPPED = 1, 3, 77
"""QEMU's exit statuses where a test ended by itself (isa-debug-exit)."""


class Verdict:
    """What a test said of itself."""

    def __init__(self, output: str, status: Optional[int] = None) -> None:
        self.passed = re.findall(r"^PASS: (.*)$", output, re.M)
        self.failed = re.findall(r"^FAIL: (.*)$", output, re.M)
        self.status = status
        summaries = re.findall(r"^SUMMARY: (.*)$", output, re.M)
        self.summary = summaries[-1] if summaries else ""
        # vmexit: "name 1234"; realmode, at its end: "1234 cycles/emulated ..."
        figures = re.findall(r"^(?:\w+ (\d+)|(\d+) cycles/.*)$", output, re.M)
        self.figure = figures[-1][0] or figures[-1][1] if figures else ""
        self.why = "".join(re.findall(r"^\((it .*)\)$", output, re.M)[-1:])
        self.exception = bool(re.search(r"^Unhandled exception", output, re.M))

    @property
    def ended(self) -> bool:
        """Whether it came to its own end."""
        silent = self.status in (PASSED, FAILED) and not self.exception
        return bool(self.summary or self.figure or silent)

    def __str__(self) -> str:
        if self.summary:
            return self.summary.replace("unexpected failures", "failed")
        counts = f"{len(self.passed)} passed, {len(self.failed)} failed"
        if self.figure:  # how long an exit took: of no worth where an emulator keeps the time
            return counts if self.passed else "timed"
        if self.ended:
            return counts if self.passed or self.failed else "passed" if self.status == PASSED else "failed"
        return f"{counts}, then {self.why or 'stopped'}"

    def as_good_as(self, other: "Verdict") -> bool:
        """Nothing fails that does not fail there, and what ends there ends here."""
        if self.ended != other.ended:
            return self.ended
        return set(self.failed) <= set(other.failed)

    def better_than(self, other: "Verdict") -> bool:
        """As good, and more than that."""
        return self.as_good_as(other) and (self.ended > other.ended or
                                           set(self.failed) < set(other.failed))


def compare(ours: Verdict, theirs: Verdict) -> str:
    """The last column."""
    if ours.better_than(theirs):
        return "better"
    return "as good" if ours.as_good_as(theirs) else "**worse**"


def _name(row: str) -> str:
    return row.split("|")[1].strip()


def write(rows: List[str], some: bool = False) -> None:
    """Puts the rows in the place of those below the same header in docs/conformance.md; or,
    if these are but some, each in the place of the one that begins alike, or at the end."""
    lines = PAGE.read_text("utf-8").splitlines()
    first = lines.index(rows[0])
    last = first
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    if some:
        new = {_name(row): row for row in rows[2:]}
        rows = [new.pop(_name(row), row) for row in lines[first:last]] + list(new.values())
    PAGE.write_text("\n".join(lines[:first] + rows + lines[last:]) + "\n", "utf-8")
