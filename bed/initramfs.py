# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a bed finds in its memory when it wakes up.

One archive: busybox with a link for every command it knows, bed/init as the first
process, bed/agent.c compiled, the kernel modules that are needed, the files that
the user asked to be carried along, and the plan: small files that say what is to
be done (see bed/init and bed/agent.c).
"""

import dataclasses
import os
import shlex
from typing import Dict, Iterable, List, Tuple

from bed import cache, cpio
from bed.errors import STATUS_BAD_USAGE, BedError
from bed.kernel import Kernel

BUSYBOX = "/bin/busybox"

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass
class Plan:
    """What the bed is to do, as bed/init and bed/agent.c read it."""

    channel: str
    pulse: str = ""
    view: str = "own"
    argv: List[str] = dataclasses.field(default_factory=list)
    environ: Dict[str, str] = dataclasses.field(default_factory=dict)
    cwd: str = "/"
    stdio: str = "none"
    modules: List[Tuple[str, str]] = dataclasses.field(default_factory=list)
    late_modules: List[Tuple[str, str]] = dataclasses.field(default_factory=list)
    shares: List[Tuple[str, str, str]] = dataclasses.field(default_factory=list)
    carried: List[Tuple[str, str]] = dataclasses.field(default_factory=list)
    """(file of the host, its place in the bed)"""


def write(plan: Plan, path: str) -> None:
    """Writes the initramfs of a bed to the file @path."""
    archive = cpio.Archive()
    add_busybox(archive)
    archive.character_device("/dev/console", 5, 1)
    archive.file("/init", os.path.join(cache.PROJECT, "bed", "init"))
    archive.file("/bed/agent", cache.compiled("agent.c", "-std=gnu11", "-Os", "-static", "-s",
                                              "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"))
    _add_plan(archive, plan)
    prefix = "/bed/carried" if plan.view == "host" else ""
    for source, place in plan.carried:
        _add_carried(archive, source, prefix + place)
    with open(path, "wb") as out:
        archive.write(out)


def add_busybox(archive: cpio.Archive) -> None:
    """Adds busybox, and a link to it for every command that it is."""
    archive.file("/bin/busybox", BUSYBOX)
    for applet in _applets():
        if "/" + applet not in archive:
            archive.symlink("/" + applet, "/bin/busybox")
    for folder in ("/proc", "/sys", "/dev", "/run", "/root", "/etc"):
        archive.directory(folder)
    archive.directory("/tmp", 0o1777)
    archive.data("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    archive.data("/etc/group", "root:x:0:\n")


def is_busybox_command(name: str) -> bool:
    """Whether busybox is a command of this name."""
    return name in (path.rpartition("/")[2] for path in _applets())


def _applets() -> List[str]:
    if not os.path.exists(BUSYBOX):
        raise BedError(f"{BUSYBOX} is missing; install busybox-static")
    return cache.run([BUSYBOX, "--list-full"]).split()


def _add_plan(archive: cpio.Archive, plan: Plan) -> None:
    def text(name: str, content: str) -> None:
        archive.data("/bed/plan/" + name, content)

    text("channel", plan.channel + "\n")
    if plan.pulse:
        text("pulse", plan.pulse)
    text("view", plan.view + "\n")
    text("argv", "".join(word + "\0" for word in plan.argv))
    text("environ", "".join(f"{name}={value}\0" for name, value in plan.environ.items()))
    text("cwd", plan.cwd)
    text("stdio", plan.stdio)
    text("shares", _lines(plan.shares))
    text("modules", _lines(_pack_modules(archive, plan.modules)))
    text("late-modules", _lines(_pack_modules(archive, plan.late_modules)))
    if plan.view == "own":
        archive.directory(plan.cwd)


def _lines(rows: Iterable[Tuple[str, ...]]) -> str:
    return "".join(" ".join(row).strip() + "\n" for row in rows)


def _pack_modules(archive: cpio.Archive, modules: Iterable[Tuple[str, str]]) -> List[Tuple[str, str]]:
    packed = []
    for source, parameters in modules:
        place = "/bed/modules/" + os.path.basename(source).replace(" ", "_")
        archive.file(place, source)
        packed.append((place, parameters))
    return packed


def _add_carried(archive: cpio.Archive, source: str, place: str) -> None:
    """Adds a file, or a folder with all that is in it, and what a program needs to run."""
    if os.path.isdir(source):
        archive.directory(place)
        for name in sorted(os.listdir(source)):
            inner, inner_place = os.path.join(source, name), os.path.join(place, name)
            if os.path.islink(inner) and not os.path.isfile(inner):
                archive.symlink(inner_place, os.readlink(inner))  # it may lead round in circles
            elif os.path.isdir(inner) or os.path.isfile(inner):
                _add_carried(archive, inner, inner_place)
    elif os.path.isfile(source):
        archive.file(place, source)
        for library in _libraries(source):
            if library not in archive:
                archive.file(library, library)
    else:
        raise BedError(f"{source}: no such file", STATUS_BAD_USAGE)


def _libraries(program: str) -> List[str]:
    """The shared libraries of a dynamic program, its loader included; else nothing."""
    with open(program, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return []
    try:
        listing = cache.run(["ldd", program])
    except BedError:
        return []  # ldd refuses static programs and whatever is no program at all
    words = [word for line in listing.splitlines() for word in shlex.split(line)]
    return [word for word in words if word.startswith("/")]


class ModulePlan:
    """Collects the modules of a bed, each once, in an order in which they load."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.modules: List[Tuple[str, str]] = []

    def add(self, name: str, parameters: str = "") -> None:
        """Adds the kernel's module @name and all that it needs."""
        *needed, last = self._kernel.module_files([name])
        for path in needed:
            self._append(path, "")
        self._append(last, parameters)

    def add_file(self, path: str, parameters: str = "") -> None:
        """Adds the module in the file @path, and all that it needs of the kernel's."""
        for needed in self._kernel.needs(path):
            self._append(needed, "")
        self._append(path, parameters)

    def _append(self, path: str, parameters: str) -> None:
        if path not in (loaded for loaded, _ in self.modules):
            self.modules.append((path, parameters))
