"""What the doctor says of machines that lack something, by table."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybernetes.cluster import doctor
from pybernetes.cluster.doctor import FAIL, NOTE, OK, Machine
from pybernetes.cluster.profile import Profile, Settings

ROUTES = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 0100000A 0003 0 0 0 00000000 0 0 0
tun0 0000F40A 00000000 0001 0 0 0 0000FFFF 0 0 0
"""


def machine(root: Path, files: dict[str, str], **environment: str) -> Machine:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(Profile("ci", Settings(), root / "state", root / "run"), environment, root)


@pytest.mark.parametrize(
    ("check", "files", "state", "found"),
    [
        ("system", {"/proc/sys/kernel/osrelease": "5.4.0-1"}, FAIL, "Linux 5.4.0-1"),
        ("system", {"/proc/sys/kernel/osrelease": "6.8.0-1"}, OK, "Linux 6.8.0-1"),
        ("surroundings", {"/proc/sys/kernel/osrelease": "5.15-microsoft-standard-WSL2"}, NOTE, "WSL"),
        ("surroundings", {"/.dockerenv": ""}, NOTE, "privileged"),
        ("cgroups", {"/sys/fs/cgroup/cgroup.controllers": "cpu memory pids io"}, OK, "v2 with cpu"),
        ("cgroups", {"/sys/fs/cgroup/cgroup.controllers": "cpu pids"}, FAIL, "memory are not available"),
        ("overlay", {"/proc/filesystems": "nodev overlay"}, OK, "there"),
        ("overlay", {"/proc/filesystems": "ext4"}, FAIL, "images are made of it"),
        (
            "overlay",
            {
                "/proc/sys/kernel/osrelease": "6.8",
                "/lib/modules/6.8/modules.dep": "kernel/fs/overlayfs/overlay.ko.zst:",
            },
            OK,
            "there",
        ),
        ("ranges", {"/proc/net/route": ROUTES}, FAIL, "10.244.0.0/16 on tun0"),
        ("ranges", {"/proc/net/route": ROUTES.replace("tun0", "p8s0")}, OK, "are free"),
        ("inotify", {"/proc/sys/fs/inotify/max_user_instances": "16"}, NOTE, "max_user_instances 16"),
        ("memory", {"/proc/meminfo": "MemAvailable:  102400 kB\n"}, NOTE, "100 MiB"),
        ("dns", {}, NOTE, "names no server"),
        ("dns", {"/etc/resolv.conf": "nameserver 192.0.2.1\n"}, OK, "192.0.2.1"),
        ("security", {"/sys/fs/selinux/enforce": "1"}, NOTE, "SELinux"),
        ("namespaces", {}, FAIL, "the kernel lacks net"),
    ],
)
def test_checks(check: str, files: dict[str, str], state: str, found: str, tmp_path: Path) -> None:
    said = getattr(doctor, f"check_{check}")(machine(tmp_path, files))
    assert said.state == state, said
    assert found in said.found
    assert said.state != FAIL or said.fix


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        ({}, OK),
        ({"HTTPS_PROXY": "http://p:3128"}, NOTE),
        ({"https_proxy": "http://p:3128", "NO_PROXY": "localhost,127.0.0.1"}, OK),
    ],
)
def test_proxy(environment: dict[str, str], state: str, tmp_path: Path) -> None:
    assert doctor.check_proxy(machine(tmp_path, {}, **environment)).state == state


def test_kubectl_that_is_too_old(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho 'Client Version: v1.29.3'\n")
    program.chmod(0o755)
    said = doctor.check_kubectl(machine(tmp_path, {}, PATH=str(tmp_path)))
    assert (said.state, said.fix) == (NOTE, "kubectl 1.35 to 1.37")
    assert doctor.check_kubectl(machine(tmp_path, {}, PATH="/nowhere")).found == "not installed"


def test_this_machine_can_run_a_cluster(tmp_path: Path) -> None:
    """The tests of clusters run on it."""
    here = Machine(Profile("ci", Settings(api_port=16999), tmp_path / "state", tmp_path / "run"), {"PATH": "/usr/bin"})
    assert [check for check in doctor.examine(here) if check.state == FAIL] == []
