#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Checks what keeps the house a house: which room may include which, and manners.

A room is a folder, and arrows between rooms run one way only (see ALLOWED). The
rooms that also run as a kernel module or on bare metal are freestanding: they may
include a handful of the compiler's own headers and each other. What is checked here
beside it is what no compiler sees: licence lines, header guards, sizes of files,
words that say that something is not finished.

Prints one TAP line for each rule, and below a broken one every place that breaks it.
"""

import pathlib
import re
import subprocess
import sys
from typing import Callable, Dict, Iterator, List, Set, Tuple

ROOT = pathlib.Path(__file__).resolve().parent.parent

ALLOWED: Dict[str, Set[str]] = {
    "include": set(),
    "x86": set(),
    "dev": {"x86"},
    "core": {"x86", "dev"},
    "host": {"core", "x86", "dev"},
    "lib": {"include", "x86"},
    "virtio": {"lib", "include"},
    "vmm": {"lib", "include", "dev", "virtio", "x86"},
    "box": {"lib", "include", "x86"},
    "cli": {"vmm", "box", "lib", "include", "virtio", "dev", "x86"},
}
"""Room: the rooms whose headers it may include, beside its own. Folders that are not
listed (tests, bench, examples) may include all."""

STRANGERS = [("core/svm", "core/vmx")]
"""Folders of one room that may not include each other: each is one processor's."""

FREESTANDING_ROOMS = {"x86", "dev", "core"}
FREESTANDING_HEADERS = {"stdint.h", "stddef.h", "stdbool.h", "limits.h", "stdarg.h"}

LINES_MAX = 700
LICENCE = "SPDX-License-Identifier: MIT OR GPL-2.0-only"
SOURCE_SUFFIXES = {".c", ".h", ".S", ".def", ".py", ".sh", ".ld", ".asl"}

# Put together from halves, so that this file does not break its own rules.
UNFINISHED = re.compile(r"\b(" + "|".join(a + b for a, b in [
    ("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK"), ("not imp", "lemented"),
    ("unimp", "lemented"), ("for n", "ow"), ("simpl", "ified version")]) + r")\b")
ONE_MACHINE = re.compile(r"(?<![\w.$}*])/(?:" + "|".join(("wo" "rk", "ho" "me/\\w", "Us" "ers")) + r")/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

Violations = Iterator[str]


def tracked() -> List[pathlib.Path]:
    """Every file of the tree that is not ignored, relative to the root."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                             check=True, stdout=subprocess.PIPE).stdout
    paths = [pathlib.Path(name) for name in listing.decode().split("\0") if name]
    return sorted(path for path in paths if (ROOT / path).is_file())


class Tree:
    """The files and what they include."""

    def __init__(self) -> None:
        self.files = tracked()
        self.code = [path for path in self.files if path.suffix in (".c", ".h", ".S", ".def")]
        self.text: Dict[pathlib.Path, str] = {}
        for path in self.files:
            try:
                self.text[path] = (ROOT / path).read_text("utf-8")
            except UnicodeDecodeError:
                pass  # data, such as a fuzzer's corpus

    def includes(self, path: pathlib.Path) -> List[Tuple[str, str]]:
        """(< or ", name) of each #include."""
        return INCLUDE.findall(self.text.get(path, ""))

    def resolve(self, name: str) -> "pathlib.Path | None":
        """The file of the tree that `#include "name"` means: relative to the root, or public."""
        for place in (pathlib.Path(name), pathlib.Path("include") / name):
            if (ROOT / place).is_file():
                return place
        return None

    def sources(self) -> Iterator[Tuple[pathlib.Path, str]]:
        """Every file that people write as code or script, with its text."""
        for path, text in self.text.items():
            if path.suffix in SOURCE_SUFFIXES or path.name == "Makefile" or text.startswith("#!"):
                yield path, text


def room(path: pathlib.Path) -> str:
    """The room that a file stands in: its first folder."""
    return path.parts[0] if len(path.parts) > 1 else ""


# ---- the rules -------------------------------------------------------------------

def arrows_run_down(tree: Tree) -> Violations:
    """a room includes only what stands below it"""
    for path in tree.code:
        here = room(path)
        if here not in ALLOWED:
            continue
        for _, name in tree.includes(path):
            target = tree.resolve(name)
            if target and room(target) != here and room(target) not in ALLOWED[here]:
                yield f'{path}: "{name}" ({here} may include {", ".join(sorted(ALLOWED[here])) or "nothing"})'


def strangers(tree: Tree) -> Violations:
    """what is for one processor does not know the other"""
    for path in tree.code:
        for pair in STRANGERS:
            for here, there in (pair, pair[::-1]):
                if str(path.parent) != here:
                    continue
                for _, name in tree.includes(path):
                    target = tree.resolve(name)
                    if target and str(target.parent) == there:
                        yield f'{path}: "{name}"'


def freestanding(tree: Tree) -> Violations:
    """the freestanding rooms include no hosted header"""
    for path in tree.code:
        if room(path) not in FREESTANDING_ROOMS:
            continue
        for bracket, name in tree.includes(path):
            if bracket == "<" and name not in FREESTANDING_HEADERS:
                yield f"{path}: <{name}>"


def no_circles(tree: Tree) -> Violations:
    """no file includes itself, however many steps around"""
    done: Set[pathlib.Path] = set()

    def walk(path: pathlib.Path, way: List[pathlib.Path]) -> Violations:
        if path in way:
            yield " -> ".join(map(str, way[way.index(path):] + [path]))
            return
        if path in done:
            return
        for _, name in tree.includes(path):
            target = tree.resolve(name)
            if target:
                yield from walk(target, way + [path])
        done.add(path)

    for path in tree.code:
        yield from walk(path, [])


def from_the_root(tree: Tree) -> Violations:
    """quoted includes are relative to the root"""
    for path in tree.code:
        for bracket, name in tree.includes(path):
            generated = "/" not in name
            if bracket == '"' and not generated and not tree.resolve(name):
                yield f'{path}: no file "{name}"'
            if bracket == '"' and generated and (ROOT / path).with_name(name).exists():
                yield f'{path}: "{name}" is relative to the file'


def guards(tree: Tree) -> Violations:
    """a header's guard is its path"""
    for path in tree.code:
        if path.suffix != ".h":
            continue
        inner = path.relative_to("include") if room(path) == "include" else path
        guard = re.sub(r"\W", "_", str(inner)).upper()
        if room(path) != "include":
            guard = "HUTCH_" + guard
        if "defined(TRACE_HEADER_MULTI_READ)" in tree.text[path]:
            continue  # Linux reads the header of tracepoints several times
        if f"#ifndef {guard}\n#define {guard}\n" not in tree.text[path]:
            yield f"{path}: no {guard}"


def licences(tree: Tree) -> Violations:
    """every source file says its licence first"""
    for path, text in tree.sources():
        lines = text.splitlines() + [""]
        if LICENCE not in lines[lines[0].startswith("#!")]:
            yield f"{path}: its first line does not say {LICENCE}"


def sizes(tree: Tree) -> Violations:
    """a file holds one idea"""
    for path, text in tree.sources():
        count = text.count("\n")
        if count > LINES_MAX:
            yield f"{path}: {count} lines, more than {LINES_MAX}"


def places(tree: Tree, pattern: "re.Pattern[str]") -> Violations:
    """Every line of the tree's text that the pattern is in."""
    for path, text in tree.text.items():
        if path.name.startswith("LICENSE"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                yield f"{path}:{number}: {line.strip()[:100]}"


def finished(tree: Tree) -> Violations:
    """nothing says of itself that it is not finished"""
    yield from places(tree, UNFINISHED)


def anywhere(tree: Tree) -> Violations:
    """no path of one machine"""
    yield from places(tree, ONE_MACHINE)


def no_ifdef_in_core(tree: Tree) -> Violations:
    """no conditional compilation in the core"""
    for path in tree.code:
        if room(path) != "core":
            continue
        for number, line in enumerate(tree.text[path].splitlines(), 1):
            if re.match(r"\s*#\s*(if|ifdef|elif)\b", line):
                yield f"{path}:{number}: {line.strip()}"


RULES: List[Callable[[Tree], Violations]] = [
    arrows_run_down, strangers, freestanding, no_circles, from_the_root, guards, licences, sizes, finished,
    anywhere, no_ifdef_in_core,
]


def main() -> int:
    """Prints the verdicts; returns 1 if a rule is broken."""
    tree = Tree()
    broken = 0
    for number, rule in enumerate(RULES, 1):
        violations = list(rule(tree))
        broken += bool(violations)
        print(f"{'not ok' if violations else 'ok'} {number} {rule.__doc__}")
        for violation in violations:
            print(f"# {violation}")
    print(f"1..{len(RULES)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
