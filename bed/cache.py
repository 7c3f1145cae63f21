# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Where beds keep what is expensive to make: the kernel and the compiled agent.

Several beds may start at once, so whatever is made here is made under a lock, in
a temporary place, and then renamed: a reader sees all of it or nothing.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from typing import Callable, Iterator

from bed.errors import BedError

PROJECT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
"""The project tree: the folder that holds bed/."""


def folder() -> str:
    """The cache: $HUTCH_BED_CACHE, or build/bed in the project tree."""
    path = os.environ.get("HUTCH_BED_CACHE") or os.path.join(PROJECT, "build", "bed")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise BedError(f"{path}: {error.strerror}; set HUTCH_BED_CACHE to a folder "
                       "that can be written") from error
    return os.path.realpath(path)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds the cache's lock @name: one maker at a time."""
    with open(os.path.join(folder(), f".{name}.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made(name: str, make: Callable[[str], None]) -> str:
    """The path of @name in the cache, which make(path) fills if it isn't there yet.

    @make is given a temporary path that doesn't exist and may create a file or a
    folder there. What it leaves is renamed to @name when it has returned.
    """
    path = os.path.join(folder(), name)
    if os.path.lexists(path):
        return path
    with locked(name.replace("/", "-")):
        if os.path.lexists(path):
            return path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        scratch = tempfile.mkdtemp(prefix=".making-", dir=folder())
        try:
            fresh = os.path.join(scratch, os.path.basename(name))
            make(fresh)
            os.rename(fresh, path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return path


def compiled(source: str, *flags: str) -> str:
    """The path of @source (a file of bed/) compiled by gcc with @flags.

    The name holds a hash of the source and the flags, so that a changed source is
    compiled anew and two versions can live side by side.
    """
    path = os.path.join(PROJECT, "bed", source)
    with open(path, "rb") as file:
        digest = hashlib.sha256(repr(flags).encode() + file.read()).hexdigest()[:16]
    stem = os.path.splitext(os.path.basename(source))[0]

    def make(result: str) -> None:
        run(["gcc", *flags, "-o", result, path])

    return made(f"tools/{stem}-{digest}", make)


def run(command: "list[str]", **keywords: str) -> str:
    """Runs a tool of the host and returns its output; its failure is one line."""
    try:
        result = subprocess.run(command, check=True, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, **keywords)
    except FileNotFoundError as error:
        raise BedError(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or error.stdout.strip() or "no reason given").splitlines()
        raise BedError(f"{' '.join(command[:2])} failed: {reason[-1]}") from error
    return result.stdout
