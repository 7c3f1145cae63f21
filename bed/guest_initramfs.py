# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The initramfs of the guest that `make run` boots: busybox and bed/guest/init.

It needs no privilege to be made and comes out the same, byte for byte, each time.
"""

import hashlib
import os

from bed import cache, cpio, initramfs

INIT = os.path.join(cache.PROJECT, "bed", "guest", "init")


def obtain() -> str:
    """The path of the initramfs, made if bed/guest/init or busybox have changed."""
    digest = hashlib.sha256()
    for source in (INIT, initramfs.BUSYBOX):
        with open(source, "rb") as file:
            digest.update(file.read())

    def make(path: str) -> None:
        archive = cpio.Archive()
        initramfs.add_busybox(archive)
        archive.file("/init", INIT)
        archive.character_device("/dev/console", 5, 1)
        with open(path, "wb") as out:
            archive.write(out)

    return cache.made(f"guest-initramfs/{digest.hexdigest()[:16]}", make)
