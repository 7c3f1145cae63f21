# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What every benchmark shares: medians, the one-line verdict, and what it ran on.

A benchmark compares two things in one run, in turn, so that a machine that grows
slower grows slower for both; it prints a ratio, its target, and whether it was met.
It never fails because of a figure: a target missed is a fact to write down.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence


def host() -> str:
    """One line about this machine: processor, kernel, how many CPUs."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def spread(values: Sequence[float], unit: str) -> str:
    """Median with the least and the greatest, so that noise can be seen."""
    return (
        f"{statistics.median(values):.4g} {unit}"
        f" ({min(values):.4g} to {max(values):.4g}, n={len(values)})"
    )


def verdict(name: str, ratio: float, target: float, unit: str = "") -> None:
    """The line that docs/performance.md quotes."""
    met = "met" if ratio <= target else "missed"
    word = "ratio" if not unit else "value"
    print(f"bench: {name} {word} {ratio:.3f}{unit} target {target:g}{unit} ({met})", flush=True)
