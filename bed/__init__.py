# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Beds: emulated machines with real AMD-V and VT-x, for hosts that lack them.

A hypervisor can only be tried on a processor that has virtualization and lets
us use it. Cloud machines and CI runners rarely do. A bed is a whole PC in
software: QEMU's TCG interpreter gives an AMD processor with SVM, Bochs gives an
Intel one with VT-x. Debian's own kernel boots in it, runs one command, hands its
output and exit status back, and powers off.

How the modules fit together, from the bottom up:

    errors      what can go wrong, and the exit status each thing gets
    cpio        writes the archive that a Linux initramfs is
    kernel      Debian's kernel: package, vmlinux, modules and their order
    initramfs   what the bed finds in memory when it wakes up
    channel     the bytes that go between this program and bed/agent.c
    terminal    raw mode, always restored
    machine     starts an emulator, watches it, and ends it in every case
    svm, vmx    the two emulators: what each must be told
    options     the command line
"""
