# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The boot protocols, each by a guest that checks what it is given (tests/guests/boot).

Such a guest looks at the registers, the tables, the command line, the module and the
memory map that its protocol promises, and ends with status 0 when all are right. What it
says goes to the debug console and to the serial port, so to our output twice.
"""

import pathlib

import pytest

WORD = "hutch-boot-test"
"""What the guests look for on their command line (tests/guests/boot/guest_words.h)."""

pytestmark = pytest.mark.everywhere


def expect_ok(result, name):
    assert result.stdout == f"boot {name}: ok\n" * 2, result.stdout + result.stderr
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("image, name, protocol", [
    ("linux.bin", "linux", "Linux 64-bit"),
    ("vmlinux", "vmlinux", "vmlinux 64-bit"),
    ("pvh", "pvh", "PVH"),
    ("multiboot1", "multiboot1", "Multiboot 1"),
    ("multiboot1_addresses.bin", "multiboot1 by addresses", "Multiboot 1"),
    ("multiboot2", "multiboot2", "Multiboot 2"),
])
def test_kernel(hutch, guest, image, name, protocol):
    options = ["--append", WORD, "--initrd", guest("boot/module")]
    expect_ok(hutch("run", *options, guest(f"boot/{image}")), name)
    told = hutch("run", "--dry-run", *options, guest(f"boot/{image}"))
    assert f"loaded, by the protocol: {protocol}\n" in told.stdout, told.stderr


@pytest.mark.parametrize("irqchip", ["kernel", "user"])
def test_a_kernel_that_misses_its_word_says_so(hutch, guest, irqchip):
    result = hutch("run", "--irqchip", irqchip, "--append", "something else", guest("boot/pvh"))
    assert result.returncode == 1
    assert "boot pvh: the command line is wrong\n" in result.stdout


@pytest.mark.parametrize("mode", [32, 64])
def test_flat(hutch, guest, mode):
    expect_ok(hutch("run", "--flat", mode, guest(f"boot/flat{mode}.bin")), f"flat{mode}")


def test_boot_sector(hutch, guest):
    expect_ok(hutch("run", guest("boot/flat16.bin")), "flat16")


@pytest.mark.native
@pytest.mark.parametrize("irqchip", ["kernel", "user"])
def test_through_the_modes(hutch, guest, irqchip):
    expect_ok(hutch("run", "--irqchip", irqchip, "--flat", 16, guest("boot/modes.bin")), "modes")


def test_firmware(hutch, guest):
    expect_ok(hutch("run", "--firmware", guest("boot/firmware.bin")), "firmware")


@pytest.mark.parametrize("damage, words", [
    (lambda image: image[:0x260], "setup header at 0x1f1: the file ends inside it"),
    (lambda image: image[:0x500], "setup header at 0x1f1: syssize at 0x1f4"),
    (lambda image: image[:0x206] + b"\0\2" + image[0x208:], "version at 0x206 is 2.00"),
    (lambda image: image[:0x100], "format not recognised"),
    (lambda image: b"", "the file is empty"),
])
def test_a_damaged_image_is_one_line_and_status_2(hutch, guest, tmp_path, damage, words):
    path = tmp_path / "kernel"
    path.write_bytes(damage(pathlib.Path(guest("boot/linux.bin")).read_bytes()))
    result = hutch("run", path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"hutch: {path}: "), result.stderr
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
