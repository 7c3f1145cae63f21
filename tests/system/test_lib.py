# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""libhutch as its users have it: the header, the archive, and the examples."""

import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT

EXAMPLES = BUILD / "examples"
LIBRARY = BUILD / "libhutch.a"


def run(*arguments, **options):
    return subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=120,
                          check=False, **options)


def example(name):
    program = EXAMPLES / name
    assert program.exists(), f"{program} is not there: make examples"
    return run(program)


# ---- the examples ------------------------------------------------------------------

@pytest.mark.everywhere
@pytest.mark.parametrize("name", ["hello", "kvm_loop"])
def test_says_hello(name):
    result = example(name)
    assert (result.returncode, result.stdout, result.stderr) == (0, "Hello!\n", "")


@pytest.mark.everywhere
def test_verdicts():
    result = example("verdicts")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "resume: IN from port 0x10 is 21"
    assert lines[1] == "retry:  0x30000 has memory now"
    # 21 was written to memory that came, and added to itself from there.
    assert lines[2].startswith("abort:  OUT of 42 to port 0x11")
    assert "vCPU 0: exit io, OUT to port 0x11, 1 byte: 2a" in lines
    assert any(re.match(r"rax 000000000000002a  rbx 0000000000003000", line) for line in lines)


def test_hello_is_short():
    """The five steps are a whole program of under 60 lines."""
    assert len((ROOT / "examples/hello.c").read_text("ascii").splitlines()) < 60


def test_no_hypervisor_is_one_clear_line(tmp_path):
    """A program that the library serves says what is wrong and what to do."""
    source = (ROOT / "examples/hello.c").read_text("ascii")
    (tmp_path / "hello.c").write_text(source.replace("hutch_open(NULL)", 'hutch_open("/dev/none")'))
    built = run("gcc", f"-I{ROOT}/include", "-o", tmp_path / "hello", tmp_path / "hello.c", LIBRARY)
    assert built.returncode == 0, built.stderr
    result = run(tmp_path / "hello")
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.fullmatch(r"hello: /dev/none: No such file or directory: .*kvm_intel.*\n", result.stderr)


# ---- the header and the archive --------------------------------------------------------

@pytest.mark.parametrize("command", [
    ["gcc", "-std=c11", "-pedantic", "-D_GNU_SOURCE"],
    ["gcc", "-std=gnu11", "-Wconversion"],
    ["clang", "-std=c11"],
    ["g++", "-std=c++17", "-x", "c++"],
], ids=["c11", "gnu11", "clang", "c++"])
def test_header_stands_alone(tmp_path, command):
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} here")
    source = tmp_path / "header.c"
    source.write_text("#include <hutch/hutch.h>\nconst char *error(void) { return hutch_error(); }\n")
    # What <linux/kvm.h> itself is made of is not what this asks.
    result = run(*command, "-Wall", "-Wextra", "-Werror", "-Wno-pedantic", f"-I{ROOT}/include",
                 "-c", source, "-o", tmp_path / "header.o")
    assert result.returncode == 0, result.stderr


def test_archive_links_into_any_program(tmp_path):
    """With and without -pie, static, and as C++ calls C."""
    for flags in ([], ["-no-pie"], ["-static"], ["-pie", "-fPIE"]):
        result = run("gcc", *flags, f"-I{ROOT}/include", "-o", tmp_path / "hello",
                     ROOT / "examples/hello.c", LIBRARY)
        assert result.returncode == 0, (flags, result.stderr)
        assert run(tmp_path / "hello").stdout == "Hello!\n", flags


def test_archive_shows_only_its_own_names():
    """What a program calls its own functions is left to it."""
    result = run("nm", "-g", "--defined-only", LIBRARY)
    assert result.returncode == 0, result.stderr
    names = set(re.findall(r" [A-Z] (\w+)$", result.stdout, re.M))
    assert [name for name in names if not name.startswith("hutch_")] == []
    # Nothing of the header is missing.
    header = (ROOT / "include/hutch/hutch.h").read_text("ascii")
    declared = set(re.findall(r"^(?!typedef)[a-z].*?\b(hutch_\w+)\(", header, re.M))
    assert len(declared) > 40
    assert declared - names == set()


# ---- what an exit costs ---------------------------------------------------------------

def traced(program, tmp_path):
    """The program's ioctls by request, counted by strace."""
    log = tmp_path / "strace"
    result = run("strace", "-f", "-e", "trace=ioctl", "-o", log, program)
    assert result.returncode == 0, result.stderr
    counts = {}
    for request in re.findall(r"ioctl\(\d+, (\w+)", log.read_text("ascii")):
        counts[request] = counts.get(request, 0) + 1
    return counts


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_one_system_call_for_each_exit(tmp_path):
    """Seven characters and a HLT are eight exits, with the library as without."""
    bare = traced(EXAMPLES / "kvm_loop", tmp_path)
    ours = traced(EXAMPLES / "hello", tmp_path)
    assert bare["KVM_RUN"] == 8
    assert ours["KVM_RUN"] == 8
    assert sum(ours.values()) - 8 <= 15
