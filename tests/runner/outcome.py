# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a group of checks came to."""

import dataclasses
from typing import List


@dataclasses.dataclass
class Failure:
    """One check that did not hold, and all that is known of why."""

    name: str
    detail: str


@dataclasses.dataclass
class Outcome:
    """Numbers of checks, and the ones to be told of."""

    passed: int = 0
    failures: List[Failure] = dataclasses.field(default_factory=list)
    skipped: int = 0
    skipped_because: str = ""

    @property
    def failed(self) -> int:
        """How many checks did not hold."""
        return len(self.failures)

    def add(self, held: bool, name: str, detail: str = "") -> None:
        """Counts one check."""
        if held:
            self.passed += 1
        else:
            self.failures.append(Failure(name, detail))

    def take(self, other: "Outcome") -> None:
        """Adds another outcome's numbers to this one's."""
        self.passed += other.passed
        self.failures += other.failures
        self.skipped += other.skipped
        self.skipped_because = self.skipped_because or other.skipped_because

    def __str__(self) -> str:
        text = f"{self.passed} passed"
        if self.failed:
            text += f", {self.failed} failed"
        if self.skipped:
            text += f", {self.skipped} skipped ({self.skipped_because})"
        return text
