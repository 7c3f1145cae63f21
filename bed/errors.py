# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What can go wrong with a bed, and the exit status that tells which it was.

The statuses are those that timeout(1), env(1) and the shells taught everybody,
so that a script that knows them knows ours.
"""

STATUS_BAD_USAGE = 2
"""The command line makes no sense."""

STATUS_TIMEOUT = 124
"""The bed was still busy after --timeout seconds and was killed."""

STATUS_CANNOT_START = 125
"""There is no bed here: emulator, kernel package or build tool missing. The only
status that a test may take as a reason to skip."""

STATUS_BED_DIED = 126
"""The bed started, but its command could not run to its end: a kernel module
refused to load, the kernel panicked, the emulator crashed."""

STATUS_NOT_FOUND = 127
"""The bed has no such command."""


class BedError(Exception):
    """One clear line for the user, and the exit status that goes with it."""

    def __init__(self, message: str, status: int = STATUS_CANNOT_START) -> None:
        super().__init__(message)
        self.status = status
