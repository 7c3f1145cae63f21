# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Debian's kernel, taken from its package and unpacked into the cache.

Nothing is installed: /boot and /lib/modules of the host stay as they are, and no
privilege is needed. What comes out of the package is

    boot/vmlinuz-VERSION    the bzImage, as a boot loader would be given it
    lib/modules/VERSION     every module
    vmlinux                 the ELF file that vmlinuz decompresses into memory
    modules.json            where each module is and which others it needs

An emulated processor takes seconds, or in Bochs a minute, for the decompression
that a real one does in a blink. So it is done here, once, and the beds start
`vmlinux` itself.
"""

import bz2
import glob
import json
import lzma
import mmap
import os
import re
import struct
import zlib
from typing import Dict, Iterable, List

from bed import cache, terminal
from bed.errors import STATUS_BAD_USAGE, BedError

META_PACKAGE = "linux-image-amd64"
"""Always depends on the newest kernel of the Debian release."""


class Kernel:
    """An unpacked kernel package in @folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        images = glob.glob(os.path.join(folder, "boot", "vmlinuz-*"))
        if len(images) != 1:
            raise BedError(f"{folder}: no kernel in it; remove the folder to have it made again")
        self.vmlinuz = images[0]
        self.vmlinux = os.path.join(folder, "vmlinux")
        self.version = os.path.basename(self.vmlinuz)[len("vmlinuz-"):]
        with open(os.path.join(folder, "modules.json"), encoding="utf-8") as file:
            self._modules: Dict[str, dict] = json.load(file)

    def module_files(self, names: Iterable[str]) -> List[str]:
        """The files of the modules @names and of all they need, in loading order."""
        files: List[str] = []
        for name in names:
            self._append(name, files)
        return files

    def needs(self, path: str) -> List[str]:
        """The files that must be loaded before the module file @path."""
        return self.module_files(_module_information(path)["depends"])

    def cache_name(self, name: str) -> str:
        """What cache.made() should call something made of this kernel: it goes with it."""
        return os.path.join(os.path.relpath(self.folder, cache.folder()), name)

    def lean(self, path: str) -> str:
        """A copy of this kernel's module @path that loads with a quarter of the work.

        The code is the same. What is gone is the signature, which the kernel hashes
        the whole file to check; type information; and names that nothing refers to,
        all of which are searched once for every function that can be traced.
        """
        if not path.startswith(self.folder + os.sep):
            return path

        def make(result: str) -> None:
            cache.run(["objcopy", "--strip-unneeded", "--remove-section", ".BTF", path, result])

        return cache.made(self.cache_name(os.path.join("lean", os.path.basename(path))), make)

    def has_module(self, name: str) -> bool:
        """Whether the package holds a module of this name."""
        return _module_name(name) in self._modules

    def _append(self, name: str, files: List[str]) -> None:
        module = self._modules.get(_module_name(name))
        if module is None:
            raise BedError(f"kernel {self.version} has no module {name}")
        path = os.path.join(self.folder, module["path"])
        if path not in files:
            for needed in module["depends"]:
                self._append(needed, files)
            files.append(path)


def obtain() -> Kernel:
    """The kernel of the Debian release, or the one in $HUTCH_BED_KERNEL (a .deb).

    Fetched with apt-get, which checks the package against the archive's signature.
    A kernel that is in the cache is used even when Debian has a newer one, so that
    beds work without a network and stay the same for the life of the cache.
    """
    override = os.environ.get("HUTCH_BED_KERNEL", "")
    if override:
        name = os.path.splitext(os.path.basename(override))[0]
        return Kernel(cache.made(f"kernel/{name}", lambda path: _unpack(override, path)))
    return Kernel(cache.made("kernel/debian", _fetch_and_unpack))


def _fetch_and_unpack(path: str) -> None:
    scratch = os.path.dirname(path)
    package = _resolve(META_PACKAGE)
    terminal.progress(f"fetching {package}, once")
    cache.run(["apt-get", "-qq", "download", package], cwd=scratch)
    files = glob.glob(os.path.join(scratch, "*.deb"))
    if len(files) != 1:
        raise BedError(f"apt-get download {package} left no package behind")
    _unpack(files[0], path)


def _resolve(package: str) -> str:
    """The package that a meta package stands for, such as linux-image-6.1.0-44-amd64."""
    name = _depended_on(package)
    if not name and os.geteuid() == 0:
        cache.run(["apt-get", "-qq", "update"])
        name = _depended_on(package)
    if not name:
        raise BedError(f"apt knows no package {package}; run `apt-get update`, "
                       "or set HUTCH_BED_KERNEL to a linux-image .deb")
    return name


def _depended_on(package: str) -> str:
    try:
        listing = cache.run(["apt-cache", "depends", package])
    except BedError:
        return ""  # apt-cache fails when it has never heard of the package
    found = re.search(r"^\s*Depends: (linux-image-\d\S+)$", listing, re.M)
    return found.group(1) if found else ""


def _unpack(package_file: str, folder: str) -> None:
    if not os.path.isfile(package_file):
        raise BedError(f"{package_file}: no such file")
    cache.run(["dpkg-deb", "-x", package_file, folder])
    images = glob.glob(os.path.join(folder, "boot", "vmlinuz-*"))
    if len(images) != 1:
        raise BedError(f"{package_file}: holds no kernel (boot/vmlinuz-*)")
    with open(images[0], "rb") as file:
        image = file.read()
    with open(os.path.join(folder, "vmlinux"), "wb") as file:
        file.write(extract_vmlinux(image))
    with open(os.path.join(folder, "modules.json"), "w", encoding="utf-8") as file:
        json.dump(_index_modules(folder), file, indent=0, sort_keys=True)


# ---- vmlinux ----------------------------------------------------------------

DECOMPRESSORS = {
    b"\xfd7zXZ\0": lambda data: lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data),
    b"\x5d\0\0": lambda data: lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(data),
    b"\x1f\x8b": lambda data: zlib.decompressobj(31).decompress(data),
    b"BZh": lambda data: bz2.BZ2Decompressor().decompress(data),
}
"""By the first bytes of the payload; each stops by itself at the payload's end."""


def extract_vmlinux(image: bytes) -> bytes:
    """The ELF file inside a bzImage.

    The setup header says where the compressed payload is: payload_offset and
    payload_length, counted from the end of the real-mode setup code.
    Source: Linux, Documentation/x86/boot.rst.
    """
    if len(image) < 0x260 or image[0x202:0x206] != b"HdrS":
        raise BedError("vmlinuz: not a bzImage: no setup header at 0x202")
    setup_sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + length]
    for magic, decompress in DECOMPRESSORS.items():
        if payload.startswith(magic):
            vmlinux = decompress(payload)
            if not vmlinux.startswith(b"\x7fELF"):
                raise BedError("vmlinuz: what it decompresses to is not an ELF file")
            return vmlinux
    raise BedError(f"vmlinuz: compressed in an unknown way (payload begins {payload[:4].hex()})")


# ---- modules ----------------------------------------------------------------

def _module_name(name: str) -> str:
    """Modules are called with - or _ alike; the kernel itself says _."""
    return name.replace("-", "_")


def _module_information(path: str) -> Dict[str, List[str]]:
    """What a module says of itself in its .modinfo section: the modules it needs.

    The section is a run of key=value strings, and depends=a,b comes exactly once,
    so it is found without walking the ELF file's headers.
    """
    with open(path, "rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:4] != b"\x7fELF":
                raise BedError(f"{path}: not a kernel module", STATUS_BAD_USAGE)
            start = content.find(b"\0depends=")
            if start < 0:
                raise BedError(f"{path}: not a kernel module: it doesn't say depends=",
                               STATUS_BAD_USAGE)
            end = content.find(b"\0", start + 1)
            depends = content[start + len(b"\0depends="):end].decode("ascii", "replace")
    return {"depends": [name for name in depends.split(",") if name]}


def _index_modules(folder: str) -> Dict[str, dict]:
    index = {}
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.ko"), recursive=True)):
        name = _module_name(os.path.basename(path)[:-len(".ko")])
        index[name] = {"path": os.path.relpath(path, folder), **_module_information(path)}
    if not index:
        raise BedError("the kernel package holds no uncompressed modules (*.ko)")
    return index
