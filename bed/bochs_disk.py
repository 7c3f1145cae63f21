# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the Bochs bed boots from: an option ROM and a disk with memory ready-made.

bed/bochs_loader.S, the ROM, reads pieces of the disk into memory and jumps to the
kernel. Everything that a boot loader and the kernel's own decompressor would work
out is worked out here instead, in Python, in no time:

    0x100000     the zero page, the command line, page tables
    0x1000000    the kernel, its ELF segments where they belong
    below the    the initramfs
    top of RAM

Sources: Linux, Documentation/x86/boot.rst and zero-page.rst; SDM 3, 4.5 (paging).
"""

import os
import struct
from typing import List, NamedTuple, Tuple

from bed import cache
from bed.errors import BedError
from bed.kernel import Kernel

SECTOR = 512
CYLINDER = 16 * 63 * SECTOR
"""Bochs wants a disk to be whole cylinders of 16 heads and 63 sectors."""

PAGE = 4096
ZERO_PAGE = 0x100000
COMMAND_LINE = ZERO_PAGE + PAGE
PAGE_TABLES = COMMAND_LINE + PAGE
TABLES_TOP = 16 << 20
"""Kept free below the end of memory: the BIOS has its ACPI tables there."""

PRESENT_WRITABLE, LARGE = 0x3, 0x80


class _Piece(NamedTuple):
    destination: int
    first_sector: int
    sectors: int


def write(folder: str, kernel: Kernel, initrd: str, command_line: str, memory: int) -> Tuple[str, str]:
    """Writes the disk and the ROM to @folder and returns their paths.

    @memory is the machine's, in bytes.
    """
    base, entry, image = kernel_image(kernel)
    initrd_size = os.path.getsize(initrd)
    initrd_at = (memory - TABLES_TOP - initrd_size) & -PAGE
    if initrd_at < base + 2 * os.path.getsize(image):
        raise BedError(f"vmx: {memory >> 20}M of memory is too little for the kernel and "
                       f"{initrd_size >> 20}M of initramfs; give --mem")
    zero_page = make_zero_page(kernel, initrd_at, initrd_size)
    if len(command_line) >= PAGE:
        raise BedError("vmx: the kernel command line is longer than 4095 characters")
    tables = zero_page + command_line.encode().ljust(PAGE, b"\0") + identity_page_tables()

    pieces: List[_Piece] = []
    disk_path = os.path.join(folder, "disk")
    with open(disk_path, "wb") as disk:
        def add(destination: int, content: bytes) -> None:
            first, padding = disk.tell() // SECTOR, -len(content) % SECTOR
            disk.write(content + bytes(padding))
            pieces.append(_Piece(destination, first, (len(content) + padding) // SECTOR))

        add(ZERO_PAGE, tables)
        with open(image, "rb") as file:
            add(base, file.read())
        with open(initrd, "rb") as file:
            add(initrd_at, file.read())
        disk.truncate(-(-disk.tell() // CYLINDER) * CYLINDER)
    return disk_path, _write_rom(folder, entry, pieces)


def kernel_image(kernel: Kernel) -> Tuple[int, int, str]:
    """The kernel as it lies in memory: base address, entry point, file of its bytes.

    The zeros at its end are left out: Bochs begins with memory that is zero.
    """
    with open(kernel.vmlinux, "rb") as file:
        elf = file.read()
    entry, headers = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    segments = []
    for number in range(count):
        kind, _, offset, _, address, length = struct.unpack_from("<IIQQQQ", elf, headers + number * size)
        if kind == 1:  # PT_LOAD
            segments.append((address, elf[offset:offset + length]))
    base = min(address for address, _ in segments)
    memory = bytearray(max(address + len(content) for address, content in segments) - base)
    for address, content in segments:
        memory[address - base:address - base + len(content)] = content

    def make(path: str) -> None:
        with open(path, "wb") as out:
            out.write(memory.rstrip(b"\0"))

    return base, entry, cache.made(kernel.cache_name("memory"), make)


def make_zero_page(kernel: Kernel, initrd_at: int, initrd_size: int) -> bytes:
    """struct boot_params; the memory map is filled in by the loader, from the BIOS."""
    with open(kernel.vmlinuz, "rb") as file:
        setup = file.read(PAGE)
    zero_page = bytearray(PAGE)
    end = 0x202 + setup[0x201]  # the setup header's length is its jump's distance
    zero_page[0x1f1:end] = setup[0x1f1:end]
    zero_page[0x210] = 0xff  # type_of_loader: one without a number
    struct.pack_into("<II", zero_page, 0x218, initrd_at, initrd_size)
    struct.pack_into("<I", zero_page, 0x228, COMMAND_LINE)
    return bytes(zero_page)


def identity_page_tables() -> bytes:
    """Page tables for PAGE_TABLES that map the first 4 GiB one to one, in 2 MiB pages."""
    pointers, directories = PAGE_TABLES + PAGE, PAGE_TABLES + 2 * PAGE
    top = struct.pack("<Q", pointers | PRESENT_WRITABLE).ljust(PAGE, b"\0")
    middle = b"".join(struct.pack("<Q", directories + number * PAGE | PRESENT_WRITABLE)
                      for number in range(4)).ljust(PAGE, b"\0")
    bottom = b"".join(struct.pack("<Q", number << 21 | LARGE | PRESENT_WRITABLE)
                      for number in range(4 * 512))
    return top + middle + bottom


def _write_rom(folder: str, entry: int, pieces: List[_Piece]) -> str:
    """The loader with its table filled in, and a checksum that adds up to zero."""
    template = cache.compiled("bochs_loader.S", "-nostdlib", "-static", "-Wl,-Ttext=0",
                              "-Wl,--oformat=binary", "-Wl,--build-id=none")
    with open(template, "rb") as file:
        rom = bytearray(file.read())
    struct.pack_into("<III", rom, 8, ZERO_PAGE, PAGE_TABLES, entry)
    for number, piece in enumerate(pieces):
        struct.pack_into("<III", rom, 24 + 12 * number, *piece)
    rom[-1] = -sum(rom) & 0xff
    path = os.path.join(folder, "loader.rom")
    with open(path, "wb") as out:
        out.write(rom)
    return path
