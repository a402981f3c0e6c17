"""CRI's configuration as an OCI config, and the users of an image."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.runtime.oci.capabilities import granted
from pybernetes.runtime.oci.devices import build_devices
from pybernetes.runtime.oci.mounts import Around, build_mounts
from pybernetes.runtime.oci.process import build_process
from pybernetes.runtime.oci.signals import stop_signal_number
from pybernetes.runtime.oci.users import User, resolve_user


@dataclass
class Image:
    """What an image says about running it."""

    entrypoint: tuple[str, ...] = ("/entry",)
    cmd: tuple[str, ...] = ("default",)
    env: tuple[str, ...] = ("PATH=/bin", "A=image")
    user: str = ""
    working_dir: str = "/work"
    stop_signal: str = ""


def process(config: t.ContainerConfig, image: Image | None = None) -> dict[str, Any]:
    return build_process(config, image or Image(), User(home="/root"), "host")


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ([], [], ["/entry", "default"]),
        ([], ["own"], ["/entry", "own"]),
        (["/own"], [], ["/own"]),
        (["/own"], ["x"], ["/own", "x"]),
    ],
)
def test_command(command: list[str], args: list[str], expected: list[str]) -> None:
    assert process(t.ContainerConfig(command=command, args=args))["args"] == expected


def test_no_command_at_all() -> None:
    with pytest.raises(InvalidError, match="no command specified"):
        process(t.ContainerConfig(), Image(entrypoint=(), cmd=()))


def test_environment_and_directory() -> None:
    made = process(t.ContainerConfig(envs=[t.KeyValue(key="A", value=b"own")], tty=True))
    assert set(made["env"]) == {"PATH=/bin", "A=own", "HOSTNAME=host", "HOME=/root", "TERM=xterm"}
    assert made["cwd"] == "/work"
    assert process(t.ContainerConfig(working_dir="/own"))["cwd"] == "/own"


def test_mounts_are_ordered_and_replace_defaults() -> None:
    asked = [
        t.Mount(container_path="/a/b/c", host_path="/1"),
        t.Mount(container_path="/dev/shm/../shm", host_path="/2"),
    ]
    mounts = build_mounts(asked, Around({"/dev/shm": Path("/sandbox/shm")}))
    destinations = [mount["destination"] for mount in mounts]
    assert destinations.index("/dev") < destinations.index("/dev/shm") < destinations.index("/a/b/c")
    assert [mount["source"] for mount in mounts if mount["destination"] == "/dev/shm"] == ["/2"]


@pytest.mark.parametrize(
    "mount",
    [
        t.Mount(container_path="/", host_path="/x"),
        t.Mount(container_path="/a/..", host_path="/x"),
        t.Mount(container_path="/a", host_path="/x", recursive_read_only=True),
    ],
)
def test_what_cannot_be_mounted_is_refused(mount: t.Mount) -> None:
    with pytest.raises(InvalidError):
        build_mounts([mount], Around({}))


def test_dropping_wins_over_adding() -> None:
    change = t.Capability(add_capabilities=["NET_ADMIN", "CAP_CHOWN"], drop_capabilities=["all", "chown"])
    assert granted(change, False) == ["CAP_NET_ADMIN"]


@pytest.mark.parametrize(
    ("asked", "image", "expected"),
    [
        (t.Signal.RUNTIME_DEFAULT, "", signal.SIGTERM),
        (t.Signal.RUNTIME_DEFAULT, "SIGQUIT", signal.SIGQUIT),
        (t.Signal.RUNTIME_DEFAULT, "3", signal.SIGQUIT),
        (t.Signal.RUNTIME_DEFAULT, "SIGRTMIN+3", 37),
        (t.Signal.RUNTIME_DEFAULT, "SIGRTMINEVIL", signal.SIGTERM),
        (t.Signal.RUNTIME_DEFAULT, "nonsense", signal.SIGTERM),
        (t.Signal.SIGUSR1, "SIGQUIT", signal.SIGUSR1),
        (t.Signal.SIGRTMAXMINUS2, "", 62),
    ],
)
def test_stop_signals(asked: t.Signal, image: str, expected: int) -> None:
    assert stop_signal_number(asked, image) == expected


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\nbroken\n")
    (tmp_path / "etc" / "group").write_text("web:x:34:\nlogs:x:50:web,other\n")
    return tmp_path


def context(**fields: Any) -> t.LinuxContainerSecurityContext:
    return t.LinuxContainerSecurityContext(**fields)


def test_users(rootfs: Path) -> None:
    assert resolve_user(rootfs, context(), "") == User(0, 0, (0,), "/root")
    assert resolve_user(rootfs, context(), "web") == User(33, 34, (34, 50), "/srv")
    assert resolve_user(rootfs, context(), "web:logs") == User(33, 50, (50,), "/srv")
    assert resolve_user(rootfs, context(), "1234:5") == User(1234, 5, (5,), "/")
    by_number = context(run_as_user=t.Int64Value(value=33), supplemental_groups=[7])
    assert resolve_user(rootfs, by_number, "root") == User(33, 34, (7, 34, 50), "/srv")
    strict = context(run_as_username="web", supplemental_groups_policy=t.SupplementalGroupsPolicy.Strict)
    assert resolve_user(rootfs, strict, "root") == User(33, 34, (34,), "/srv")


@pytest.mark.parametrize("name", ["nobody", "web:nogroup", "-1", "4294967296"])
def test_unknown_users_are_refused(rootfs: Path, name: str) -> None:
    with pytest.raises(InvalidError, match=r"unable to find|must be in range"):
        resolve_user(rootfs, context(), name)


def test_user_databases_are_read_below_the_root_only(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "passwd"
    outside.write_text("evil:x:666:666::/:/bin/sh\n")
    (rootfs / "etc" / "passwd").unlink()
    (rootfs / "etc" / "passwd").symlink_to(outside)
    with pytest.raises(InvalidError):
        resolve_user(rootfs, context(), "evil")
    (rootfs / "etc" / "passwd").unlink()
    os.mkfifo(rootfs / "etc" / "passwd")
    assert resolve_user(rootfs, context(), "5").uid == 5


@pytest.mark.parametrize("privileged", [False, True])
def test_devices_that_are_asked_for_are_there_whatever_else_is(privileged: bool) -> None:
    """A volume that is a device is in a privileged container, too."""
    asked = [t.Device(container_path="/mnt/volume", host_path="/dev/zero", permissions="r")]
    nodes, rules = build_devices(asked, privileged)
    assert [(node["major"], node["minor"]) for node in nodes if node["path"] == "/mnt/volume"] == [(1, 5)]
    mine = {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"}
    assert rules[-1] == ({"allow": True, "access": "rwm"} if privileged else mine)
