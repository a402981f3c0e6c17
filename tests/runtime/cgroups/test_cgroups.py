"""Cgroups on this host: limits are in force, and nothing is left."""

import os
from collections.abc import Iterator

import pytest

from pybernetes.runtime import syscalls
from pybernetes.runtime.cgroups.devices import allow_devices
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.layout import find_hierarchies
from pybernetes.runtime.cgroups.limits import apply_limits

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
