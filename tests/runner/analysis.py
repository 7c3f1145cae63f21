# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""clang-tidy, file by file, remembering what it has seen.

A file that was clean stays clean until it, a header that it reaches, the choice of
checks or clang-tidy itself changes. So a hash of all these is kept for every clean
file, and only the others are looked at.
"""

import concurrent.futures
import hashlib
import pathlib
import re
import subprocess
from typing import Dict, List, Set

from tests.runner.outcome import Outcome
from tests.runner.process import ROOT, run

FLAGS = ["-std=gnu11", "-I.", "-Iinclude", "-D_GNU_SOURCE", '-DHUTCH_VERSION="analysed"',
         "-DHUTCH_FAULT_INJECTION"]
SECONDS_MAX = 300

_INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)


KERNEL_MODULE = "host/linux/"
"""Needs Linux's own headers and way of compiling: `make -C host/linux check` (sparse)."""


def sources() -> List[str]:
    """Every C file of the tree that is not ignored, but for what only Linux can compile."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c"], cwd=ROOT,
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(name for name in listing.splitlines()
                  if (ROOT / name).is_file() and not name.startswith(KERNEL_MODULE))


def _reached(path: pathlib.Path, found: Set[pathlib.Path]) -> None:
    """Adds @path and every file of the tree that it includes to @found."""
    if path in found:
        return
    found.add(path)
    for name in _INCLUDE.findall(path.read_bytes()):
        for place in (ROOT / name.decode(), ROOT / "include" / name.decode()):
            if place.is_file():
                _reached(place, found)


class Analysis:
    """The analysis of one tree, with its memory under @build."""

    def __init__(self, build: pathlib.Path) -> None:
        self.memory = build / "tidy"
        self.memory.mkdir(parents=True, exist_ok=True)
        self.flags = FLAGS + [f"-I{build}/generated"]
        self._hashes: Dict[pathlib.Path, bytes] = {}
        version = subprocess.run(["clang-tidy", "--version"], check=True, stdout=subprocess.PIPE)
        self._basis = version.stdout + " ".join(self.flags).encode()
        for choice in sorted(ROOT.rglob(".clang-tidy")):
            self._basis += choice.read_bytes()

    def run(self, jobs: int) -> Outcome:
        """One check for each C file."""
        outcome = Outcome()
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for one in pool.map(self._file, sources()):
                outcome.take(one)
        return outcome

    def _file(self, name: str) -> Outcome:
        outcome = Outcome()
        mark = self.memory / self._key(name)
        if mark.exists():
            outcome.add(True, name)
            return outcome
        result = run(["clang-tidy", "--quiet", name, "--", *self.flags], SECONDS_MAX)
        lines = [line for line in result.output.splitlines()
                 if not re.match(r"\d+ warnings? (generated|treated)|Suppressed |Use -header", line)]
        if result.status == 0:
            mark.touch()
        outcome.add(result.status == 0, f"clang-tidy: {name}", "\n".join(lines))
        return outcome

    def _key(self, name: str) -> str:
        found: Set[pathlib.Path] = set()
        _reached(ROOT / name, found)
        hasher = hashlib.sha256(self._basis + name.encode())
        for path in sorted(found):
            hasher.update(self._hash(path))
        return hasher.hexdigest()

    def _hash(self, path: pathlib.Path) -> bytes:
        if path not in self._hashes:
            self._hashes[path] = hashlib.sha256(path.read_bytes()).digest()
        return self._hashes[path]
