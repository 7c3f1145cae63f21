# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What tests/run is made of.

    outcome     what a group of checks came to: numbers, and a text for each failure
    process     running a program to its end, within a time, with its output kept
    report      reading results that others print: TAP, JUnit's XML
    analysis    clang-tidy, file by file, remembering what it has seen
    groups      the groups, from the build to the beds
"""
