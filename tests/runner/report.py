# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Reading results that others print: TAP (testanything.org), and JUnit's XML of pytest."""

import pathlib
import re
import xml.etree.ElementTree

from tests.runner.outcome import Failure, Outcome
from tests.runner.process import Result

_VERDICT = re.compile(r"^(not )?ok\s+\d+\s*-?\s*(.*)$")
_PLAN = re.compile(r"^1\.\.(\d+)")

NEIGHBOURS = 20
"""Lines before and after a failed test's own that are shown with it."""


def tap(program: str, result: Result) -> Outcome:
    """Counts the lines of a program that speaks TAP.

    A program that dies, says less than it planned, or fails without saying where is
    one failure more; and so is a test that says of itself that it was skipped.
    """
    outcome = Outcome()
    planned = 0
    lines = result.output.splitlines()
    verdicts = [number for number, line in enumerate(lines) if _VERDICT.match(line)]
    for before, number, after in zip([-1] + verdicts, verdicts, verdicts[1:] + [len(lines)]):
        match = _VERDICT.match(lines[number])
        assert match
        held = not match.group(1) and "# SKIP" not in lines[number].upper()
        around = lines[max(before + 1, number - NEIGHBOURS):min(after, number + NEIGHBOURS)]
        outcome.add(held, f"{program}: {match.group(2)}", "\n".join(around))
    for line in lines:
        plan = _PLAN.match(line)
        planned += int(plan.group(1)) if plan else 0
    if len(verdicts) != planned or not verdicts or (result.status != 0 and not outcome.failed):
        outcome.failures.append(Failure(f"{program}: {len(verdicts)} of {planned} tests told how "
                                        "they ended", result.detail()))
    return outcome


def junit(file: pathlib.Path, result: Result) -> Outcome:
    """Counts the tests of a run of pytest by the file that --junitxml left.

    No file, or a run that failed with no failed test in it (an error while the tests
    were collected), is one failure more. A skipped test is a failed one.
    """
    outcome = Outcome()
    try:
        cases = list(xml.etree.ElementTree.parse(file).getroot().iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        outcome.failures.append(Failure(f"pytest left no results: {error}", result.detail()))
        return outcome
    for case in cases:
        name = f"{case.get('classname', '').rpartition('.')[2]}: {case.get('name')}"
        trouble = [child for child in case if child.tag in ("failure", "error", "skipped")]
        outcome.add(not trouble, name, "\n".join(child.text or child.get("message") or child.tag
                                                  for child in trouble))
    if not cases or (result.status != 0 and not outcome.failed):
        outcome.failures.append(Failure("pytest itself failed", result.detail()))
    return outcome
