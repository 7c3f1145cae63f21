# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Writes cpio archives in the "newc" format, which is what an initramfs is.

An entry is a header of 110 ASCII characters (a magic number and 13 fields of
eight hexadecimal digits), the name with its NUL, and the data; name and data are
each padded to a multiple of four bytes. An entry named TRAILER!!! ends the
archive. The kernel accepts several archives one after another and lets later
files replace earlier ones.
Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.

Nothing here depends on the clock, the user or the order of a directory: the same
contents give the same bytes, and no privilege is needed to write a device node.
"""

import os
import stat
from typing import BinaryIO, Dict, NamedTuple, Union

MAGIC = b"070701"
TRAILER = "TRAILER!!!"


class _Entry(NamedTuple):
    mode: int
    content: Union[bytes, str]  # bytes as they are, or the path of a file to copy
    device: int = 0


class Archive:
    """A tree of files in the making. Paths are absolute; parents come by themselves."""

    def __init__(self) -> None:
        self._entries: Dict[str, _Entry] = {}

    def __contains__(self, path: str) -> bool:
        return self._name(path) in self._entries

    def directory(self, path: str, permissions: int = 0o755) -> None:
        """Adds a directory; one that is there already keeps its permissions."""
        name = self._name(path)
        if name and name not in self._entries:
            self._parents(name)
            self._entries[name] = _Entry(stat.S_IFDIR | permissions, b"")

    def data(self, path: str, content: Union[bytes, str], permissions: int = 0o644) -> None:
        """Adds a file with the given content; text is written as UTF-8."""
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")
        self._add(path, _Entry(stat.S_IFREG | permissions, content))

    def file(self, path: str, source: str) -> None:
        """Adds a copy of the file @source, with its permissions, read when written out."""
        permissions = stat.S_IMODE(os.stat(source).st_mode) & 0o755 | 0o444
        self._add(path, _Entry(stat.S_IFREG | permissions, source))

    def symlink(self, path: str, target: str) -> None:
        """Adds a symbolic link at @path that points to @target."""
        self._add(path, _Entry(stat.S_IFLNK | 0o777, os.fsencode(target)))

    def character_device(self, path: str, major: int, minor: int) -> None:
        """Adds the node of a character device."""
        self._add(path, _Entry(stat.S_IFCHR | 0o600, b"", os.makedev(major, minor)))

    def write(self, out: BinaryIO) -> None:
        """Writes the archive, padded to a whole page so that another may follow."""
        size = 0
        for inode, (name, entry) in enumerate(self._entries.items(), start=1):
            content = entry.content
            if isinstance(content, str):
                with open(content, "rb") as source:
                    content = source.read()
            size += self._write_entry(out, inode, name, entry, content)
        size += self._write_entry(out, 0, TRAILER, _Entry(0, b""), b"")
        out.write(b"\0" * (-size % 4096))

    @staticmethod
    def _write_entry(out: BinaryIO, inode: int, name: str, entry: _Entry, content: bytes) -> int:
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        encoded = os.fsencode(name) + b"\0"
        fields = (inode, entry.mode, 0, 0, links, 0, len(content), 0, 0,
                  os.major(entry.device), os.minor(entry.device), len(encoded), 0)
        header = MAGIC + b"".join(b"%08X" % field for field in fields) + encoded
        header += b"\0" * (-len(header) % 4)
        padding = b"\0" * (-len(content) % 4)
        out.write(header)
        out.write(content)
        out.write(padding)
        return len(header) + len(content) + len(padding)

    def _add(self, path: str, entry: _Entry) -> None:
        name = self._name(path)
        self._parents(name)
        self._entries[name] = entry

    def _parents(self, name: str) -> None:
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)

    @staticmethod
    def _name(path: str) -> str:
        return os.path.normpath("/" + path).lstrip("/")
