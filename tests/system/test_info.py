# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""`hutch info`: what it says here, and what it says where there is nothing."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from conftest import HUTCH, IN_BED, STRETCH


@pytest.mark.everywhere
def test_json_has_what_programs_rely_on(hutch):
    result = hutch("info", "--json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    info = json.loads(result.stdout)
    assert info["available"] is True
    assert info["device"] == "/dev/kvm"
    assert info["provider"] == "kvm"
    assert info["api_version"] == 12
    assert info["capabilities"]["KVM_CAP_USER_MEMORY"] == 1
    assert info["capabilities"]["KVM_CAP_IMMEDIATE_EXIT"] == 1
    assert len(info["capabilities"]) >= 30
    assert all(isinstance(value, int) for value in info["capabilities"].values())
    assert isinstance(info["processor"]["vmx"]["present"], bool)
    assert isinstance(info["processor"]["svm"]["present"], bool)
    measured = info["measured"]
    assert isinstance(measured["ring0_native"], bool)
    assert measured["ring0_instructions_per_second"] > 1000
    assert measured["host_instructions_per_second"] > 1e6
    assert 50 < measured["exit_round_trip_ns"] < 50e6


@pytest.mark.everywhere
def test_agrees_with_proc_cpuinfo(hutch):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text("utf-8")
    flags = re.search(r"^flags\s*: (.*)", cpuinfo, re.M).group(1).split()
    processor = json.loads(hutch("info", "--json").stdout)["processor"]
    assert processor["vendor"] == re.search(r"^vendor_id\s*: (.*)", cpuinfo, re.M).group(1)
    assert processor["brand"] == re.search(r"^model name\s*: (.*)", cpuinfo, re.M).group(1).strip()
    assert processor["svm"]["present"] == ("svm" in flags)
    assert processor["vmx"]["present"] == ("vmx" in flags)
    if processor["svm"]["present"]:
        assert processor["svm"]["features"]["np"] == ("npt" in flags)
        assert processor["svm"]["features"]["nrips"] == ("nrip_save" in flags)
        assert processor["svm"]["asids"] > 0


def test_ring_0_is_what_the_module_does(hutch):
    """PVM interprets a guest's kernel; the modules for VT-x and AMD-V let it run."""
    info = json.loads(hutch("info", "--json").stdout)
    if info["module"] == "kvm_pvm":
        assert not info["measured"]["ring0_native"]
    elif info["module"] in ("kvm_intel", "kvm_amd"):
        assert info["measured"]["ring0_native"]


@pytest.mark.native
def test_ring_0_is_native(hutch):
    """With VT-x or AMD-V, whichever it is; a bed with AMD-V says that it is AMD-V."""
    info = json.loads(hutch("info", "--json").stdout)
    assert info["module"] in ("kvm_intel", "kvm_amd")
    assert info["measured"]["ring0_native"]
    if IN_BED:
        assert info["module"] == "kvm_amd"
        assert info["processor"]["svm"]["present"]


@pytest.mark.everywhere
def test_table_is_for_people(hutch):
    result = hutch("info")
    assert result.returncode == 0, result.stderr
    assert re.search(r"^hypervisor   /dev/kvm: kvm with module \w+, API version 12$", result.stdout,
                     re.M)
    assert re.search(r"^ring 0       (native|emulated): ", result.stdout, re.M)
    assert re.search(r"^exit         \d+ ns round trip", result.stdout, re.M)
    assert re.search(r"^  KVM_CAP_SYNC_REGS +\d+  registers travel", result.stdout, re.M)
    assert max(map(len, result.stdout.splitlines())) <= 100
    info = json.loads(hutch("info", "--json").stdout)
    neither = not info["processor"]["vmx"]["present"] and not info["processor"]["svm"]["present"]
    assert ("yet guests run" in result.stdout) == neither


def test_is_quick(hutch):
    begin = time.monotonic()
    assert hutch("info").returncode == 0
    assert time.monotonic() - begin < 3 * STRETCH


# ---- where there is nothing ------------------------------------------------------------

@pytest.mark.parametrize("device, words", [
    ("/dev/no-such-thing", "No such file or directory"),
    ("/dev/null", "KVM_GET_API_VERSION"),
    ("/proc", "Is a directory"),
    ("", "No such file or directory"),
])
def test_no_hypervisor(hutch, device, words):
    result = hutch("info", "--hypervisor", device)
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.fullmatch(rf"hutch: {re.escape(device)}: .*{re.escape(words)}.*\n", result.stderr)
    result = hutch("info", "--json", "--hypervisor", device)
    assert result.returncode == 1
    assert result.stderr == ""
    info = json.loads(result.stdout)
    assert info["available"] is False
    assert words in info["reason"]
    assert info["device"] == device
    assert info["processor"]["vendor"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission(tmp_path):
    device = tmp_path / "kvm"
    device.touch(0o600)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(parent, 0o755)
    result = subprocess.run([HUTCH, "info", "--hypervisor", device], user=65534, group=65534,
                            extra_groups=[], capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 1
    assert re.fullmatch(r"hutch: .*: Permission denied: join the group .*root\n", result.stderr)


# ---- how it is asked ---------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [["--jason"], ["extra"], ["--hypervisor"], ["--json=yes"]])
def test_bad_usage(hutch, arguments):
    result = hutch("info", *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch(r"hutch: .*\n", result.stderr)


def test_help(hutch):
    result = hutch("info", "--help")
    assert result.returncode == 0
    assert "--json" in result.stdout and "--hypervisor DEVICE" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_full_disk_is_noticed(arguments):
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([HUTCH, "info", *arguments], stdout=full, stderr=subprocess.PIPE,
                                text=True, check=False, timeout=30)
    assert result.returncode == 1
    assert result.stderr == "hutch: info: cannot write: No space left on device\n"
