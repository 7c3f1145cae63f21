# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The man page and the completions know what the command knows, and no more."""

import pathlib
import re
import shlex
import shutil
import subprocess
from typing import List, Set

import pytest

from conftest import HUTCH, ROOT

MAN_PAGE = ROOT / "docs" / "hutch.1"
BASH = ROOT / "scripts" / "completion" / "hutch.bash"
ZSH = ROOT / "scripts" / "completion" / "_hutch"
TEMPLATES = {"host", "minimal", "x86-64-v2", "x86-64-v3", "x86-64-v4", "compat"}


def help_options(command: str) -> Set[str]:
    text = subprocess.run([HUTCH, command, "--help"], capture_output=True, text=True,
                          check=True).stdout
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)) | {"--help"}


def complete(*words: str) -> List[str]:
    """What bash would offer for the last of these words."""
    script = (f"source {shlex.quote(str(BASH))}\n"
              f"COMP_WORDS=({shlex.join(words)})\n"
              f"COMP_CWORD={len(words) - 1}\n"
              "_hutch 2>/dev/null\n"
              "((${#COMPREPLY[@]})) && printf '%s\\n' \"${COMPREPLY[@]}\"\n"
              "true\n")
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                          check=True).stdout.split("\n")[:-1]


def test_man_page_has_every_option() -> None:
    text = MAN_PAGE.read_text()
    documented = {f"--{name}" for name in re.findall(r"Fl Fl ([a-z-]+)", text)}
    assert documented - {"--version"} == help_options("run") | help_options("info")


def test_man_page_has_every_template_and_monitor_command() -> None:
    text = MAN_PAGE.read_text()
    for template in TEMPLATES:
        assert template in text
    monitor = (ROOT / "vmm" / "monitor.c").read_text()
    table = monitor[monitor.index("command commands[]"):]
    commands = re.findall(r'^\t\{ "(\w+)", "', table[:table.index("};")], re.MULTILINE)
    assert commands
    for command in commands:
        assert re.search(rf"^\.It Ic {command}\b", text, re.MULTILINE), command


def test_man_page_is_well_formed() -> None:
    groff = shutil.which("groff")
    if not groff:
        pytest.skip("no groff here")
    result = subprocess.run([groff, "-mdoc", "-Tutf8", "-ww", MAN_PAGE], capture_output=True,
                            text=True, check=True)
    assert result.stderr == ""
    assert "run kernels in virtual machines" in result.stdout


def test_bash_completes_commands_and_options() -> None:
    assert set(complete("hutch", "")) == {"run", "info", "--help", "--version"}
    for command in ("run", "info"):
        assert set(complete("hutch", command, "--")) == help_options(command)
    assert complete("hutch", "run", "--cpu-l") == ["--cpu-limit"]


def test_bash_completes_values() -> None:
    assert set(complete("hutch", "run", "--cpu", "")) == TEMPLATES | {"help"}
    assert complete("hutch", "run", "--cpu", "=", "mi") == ["minimal"]
    assert complete("hutch", "run", "--irqchip", "k") == ["kernel"]
    assert complete("hutch", "run", "--cpus", "") == []
    assert set(complete("hutch", "run", "--console", "")) == {"stdio", "none", "file:", "pty"}


def test_bash_completes_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / "vmlinuz").touch()
    assert complete("hutch", "run", f"{tmp_path}/vm") == [f"{tmp_path}/vmlinuz"]
    assert complete("hutch", "run", "--initrd", f"{tmp_path}/vm") == [f"{tmp_path}/vmlinuz"]
    assert complete("hutch", "run", "--kernel-cache", f"{tmp_path}/") == []


def test_zsh_has_every_option() -> None:
    text = ZSH.read_text()
    for command in ("run", "info"):
        function = text[text.index(f"_hutch_{command}()"):]
        function = function[:function.index("\n}")]
        assert set(re.findall(r"--[a-z-]+", function)) == help_options(command)
    for template in TEMPLATES:
        assert template in text


def test_help_lists_every_word_of_cpu() -> None:
    text = subprocess.run([HUTCH, "run", "--cpu", "help"], capture_output=True, text=True,
                          check=True).stdout
    names = re.findall(r'^CPUID_FEATURE\(.*"(.+)"\)$', (ROOT / "x86" / "cpuid.def").read_text(),
                       re.MULTILINE)
    assert len(names) > 200
    assert TEMPLATES | set(names) <= set(text.split())
