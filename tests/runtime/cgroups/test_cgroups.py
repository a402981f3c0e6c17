"""Cgroups on this host: limits are in force, and nothing is left."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pybernetes.runtime import syscalls
from pybernetes.runtime.cgroups.devices import allow_devices
from pybernetes.runtime.cgroups.group import Cgroup, write
from pybernetes.runtime.cgroups.layout import find_hierarchies
from pybernetes.runtime.cgroups.limits import apply_limits, weight_of

NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}
NOTHING = {"allow": False, "access": "rwm"}


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    made = Cgroup(f"/p8s-test-{os.getpid()}/one")
    made.create()
    yield made
    made.kill()
    made.remove()
    Cgroup(os.path.dirname(made.path)).remove()


def test_those_who_are_not_root_can_read_their_limits(cgroup: Cgroup) -> None:
    """The cluster's own umask keeps its files private; a container's cgroup is what programs size themselves by."""
    before = os.umask(0o077)
    try:
        below = Cgroup(f"{cgroup.path}/below")
        below.create()
    finally:
        os.umask(before)
    directories = [each.at(below.path) for each in below.hierarchies]
    modes = {os.stat(directory).st_mode & 0o777 for directory in directories}
    below.remove()
    assert modes == {0o755}


def test_one_that_somebody_has_only_just_made_is_filled(cgroup: Cgroup) -> None:
    """Two pods begin at once: the one who finds the directory may be there before its maker has filled it."""
    below = Cgroup(f"{cgroup.path}/below")
    for each in below.hierarchies:
        os.mkdir(each.at(below.path))
    try:
        leaf = Cgroup(f"{below.path}/leaf")
        leaf.create()
        assert inside(leaf, "/dev/null", os.O_RDONLY)
        leaf.remove()
    finally:
        below.remove()


def inside(cgroup: Cgroup, path: str, flags: int) -> bool:
    """Whether a process in the cgroup can open the device."""
    group = cgroup.open_unified()
    pid = syscalls.clone(0, group)
    if pid == 0:
        try:
            cgroup.enter()
            os.close(os.open(path, flags))
        except BaseException:
            os._exit(1)
        os._exit(0)
    if group is not None:
        os.close(group)
    return os.waitpid(pid, 0)[1] == 0


def test_every_hierarchy_is_found_once() -> None:
    found = find_hierarchies()
    assert len({each.mountpoint for each in found}) == len(found) > 0


def test_devices_by_the_hosts_own_means(cgroup: Cgroup) -> None:
    allow_devices(cgroup, [NOTHING, NULL])
    assert inside(cgroup, "/dev/null", os.O_RDWR)
    assert not inside(cgroup, "/dev/zero", os.O_RDONLY)


@pytest.mark.skipif(not Cgroup("/").unified, reason="no cgroup v2 hierarchy is mounted")
def test_devices_by_ebpf() -> None:
    """As on a host with v2 alone, in the v2 hierarchy that a hybrid host has too."""
    unified = [each for each in find_hierarchies() if each.unified]
    cgroup = Cgroup(f"/p8s-test-{os.getpid()}-v2", unified)
    cgroup.create()
    try:
        allow_devices(cgroup, [NOTHING, NULL, {**NULL, "minor": 5, "access": "r"}])
        assert inside(cgroup, "/dev/null", os.O_RDWR)
        assert inside(cgroup, "/dev/zero", os.O_RDONLY)
        assert not inside(cgroup, "/dev/zero", os.O_RDWR)
        assert not inside(cgroup, "/dev/full", os.O_RDONLY)
    finally:
        cgroup.remove()


def test_memory_limits_can_be_raised_and_lowered(cgroup: Cgroup) -> None:
    directory = cgroup.directory("memory")
    assert directory is not None
    name = "memory.max" if directory == cgroup.unified else "memory.limit_in_bytes"
    for limit in (32 << 20, 64 << 20, 16 << 20):
        apply_limits(cgroup, {"memory": {"limit": limit, "swap": limit}})
        with open(os.path.join(directory, name)) as file:
            assert int(file.read()) == limit


def test_killing_leaves_nothing(cgroup: Cgroup) -> None:
    group = cgroup.open_unified()
    pid = syscalls.clone(0, group)
    if pid == 0:
        cgroup.enter()
        os.fork()
        os.read(os.pipe()[0], 1)
    if group is not None:
        os.close(group)
    while len(cgroup.pids()) < 2:
        continue
    assert cgroup.kill()
    os.waitpid(pid, 0)
    assert cgroup.pids() == set()


@pytest.mark.parametrize(
    ("shares", "weight"), [(2, 1), (102, 17), (512, 59), (1024, 100), (2048, 174), (262144, 10000), (1 << 20, 10000)]
)
def test_shares_as_weights(shares: int, weight: int) -> None:
    """The defaults of both are equal, so that pods weigh what they request beside what is no pod."""
    assert weight_of(shares) == weight


@contextmanager
def sleeping_in(directory: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "98765"]) as process:
        write(os.path.join(directory, "cgroup.procs"), str(process.pid))
        try:
            yield process
        finally:
            process.kill()


def test_who_is_in_the_way_is_told_and_all_else_goes(cgroup: Cgroup) -> None:
    directory = cgroup.hierarchies[-1].at(cgroup.path)
    with sleeping_in(directory) as process, pytest.raises(OSError, match="is in it") as failure:
        cgroup.remove(patience=0.01)
    assert failure.value.strerror == f"process {process.pid} (sleep 98765) is in it"
    assert failure.value.filename == directory
    assert [each.at(cgroup.path) for each in cgroup.hierarchies if os.path.exists(each.at(cgroup.path))] == [directory]


def test_processes_of_other_pid_namespaces_are_not_taken_for_our_own(cgroup: Cgroup) -> None:
    """They are seen as 0, and a signal to 0 ends who sends it."""
    with sleeping_in(cgroup.hierarchies[0].at(cgroup.path)), sleeping_in(cgroup.directory("pids") or ""):
        pid = syscalls.clone(syscalls.CLONE_NEWPID)
        if pid == 0:
            os.setsid()
            try:
                cgroup.kill(patience=0.0)
            finally:
                os._exit(0 if cgroup.pids() == set() else 1)
        assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.skipif(not Cgroup("/").unified, reason="no cgroup v2 hierarchy is mounted")
def test_one_that_has_processes_cannot_be_shared_out(cgroup: Cgroup) -> None:
    unified = next(each for each in cgroup.hierarchies if each.unified)
    if not unified.controllers:
        pytest.skip("cgroup v2 has no controller on this machine")
    with sleeping_in(unified.at(cgroup.path)) as process, pytest.raises(OSError, match="is in it") as failure:
        Cgroup(f"{cgroup.path}/below", [unified]).create()
    assert failure.value.strerror == f"cgroup cannot be shared out: process {process.pid} (sleep 98765) is in it"


@pytest.mark.skipif(not Cgroup("/").has_unified("memory"), reason="memory is not v2's on this machine")
@pytest.mark.parametrize(
    ("memory", "files"),
    [
        ({"limit": 32 << 20}, (str(32 << 20), "0")),
        ({"limit": 32 << 20, "swap": 48 << 20}, (str(32 << 20), str(16 << 20))),
        ({"limit": 32 << 20, "swap": -1}, (str(32 << 20), "max")),
        ({"limit": -1, "swap": -1}, ("max", "max")),
    ],
)
def test_swap_is_told_apart_from_memory(cgroup: Cgroup, memory: dict[str, int], files: tuple[str, str]) -> None:
    apply_limits(cgroup, {"memory": memory})
    directory = cgroup.unified or ""
    found = (Path(directory, name) for name in ("memory.max", "memory.swap.max"))
    assert [path.read_text().strip() for path in found if path.exists()] == [*files][: 2 if Path(directory, "memory.swap.max").exists() else 1]  # fmt: skip
