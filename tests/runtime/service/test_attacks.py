"""The classes of attack on container launchers, each tried as root against canaries on the host."""

import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.races import racing

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, StartError
from pybernetes.cri.testsuite import Lab, Pod, security


async def prepared(lab: Lab, pod: Pod, tmp_path: Path, config: t.ContainerConfig) -> tuple[str, Path]:
    """A created container and its root, which the test may still spoil as an image could."""
    container = await lab.runtime.create_container(pod.id, config, pod.config)
    bundle = tmp_path / "runtime" / "containers" / container / "config.json"
    return container, Path(json.loads(bundle.read_text())["root"]["path"])


async def tried(lab: Lab, container: str) -> str:
    """What the container wrote, if it could be started at all."""
    with suppress(StartError):
        await lab.runtime.start_container(container)
    status = await lab.ended(container)
    return Path(status.log_path).read_text() if Path(status.log_path).exists() else ""


def out_of(root: Path, target: Path) -> str:
    """A symlink's target that leads from the container's root to the host's `target`, if it is not held back."""
    return "../" * len(root.parts) + str(target).lstrip("/")


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize("shared", [t.NamespaceMode.CONTAINER, t.NamespaceMode.POD])
async def test_launcher_cannot_be_overwritten(lab: Lab, tmp_path: Path, shared: t.NamespaceMode) -> None:
    """CVE-2019-5736."""
    options = t.NamespaceOption(pid=shared)
    linux = t.LinuxPodSandboxConfig(
        cgroup_parent=f"{lab.cgroup}/evil",
        security_context=t.LinuxSandboxSecurityContext(namespace_options=options),
    )
    pod = await lab.run_pod(lab.pod(linux=linux))
    interpreter = os.path.realpath(sys.executable)
    before = digest(interpreter)
    container, root = await prepared(lab, pod, tmp_path, lab.container("/entry", **security(namespace_options=options)))
    (root / "entry").symlink_to("/proc/self/exe")
    await tried(lab, container)
    script = "for i in $(seq 300); do for p in /proc/[0-9]*; do echo x > $p/exe; done; done 2> /dev/null"
    racer = await pod.start(lab.container("sh", "-c", script, **security(namespace_options=options)))
    for _ in range(5):
        with suppress(CRIError):
            await lab.runtime.exec_sync(racer, ["/proc/self/exe"], 10)
    await lab.ended(racer, 60)
    assert digest(interpreter) == before


@pytest.mark.parametrize("number", range(3, 20))
async def test_working_directory_outside_of_the_root(lab: Lab, pod: Pod, number: int) -> None:
    """CVE-2024-21626."""
    config = lab.container(
        "sh", "-c", "cat ../../../../etc/hostname; ls ../../..", working_dir=f"/proc/self/fd/{number}"
    )
    container = await lab.runtime.create_container(pod.id, config, pod.config)
    output = await tried(lab, container)
    assert Path("/etc/hostname").read_text().strip() not in output
    assert "root" not in output.split()


async def test_exec_in_a_directory_outside(lab: Lab, pod: Pod) -> None:
    container = await pod.start(lab.container("sleep", "1000"))
    for number in range(3, 20):
        with suppress(CRIError):
            answer = await lab.runtime.exec_sync(container, ["ls", f"/proc/self/fd/{number}/../../.."], 10)
            assert b"root" not in answer.stdout.split()


async def test_exec_leaks_no_descriptor(lab: Lab, pod: Pod) -> None:
    container = await pod.start(lab.container("sleep", "1000"))
    answer = await lab.runtime.exec_sync(container, ["sh", "-c", "ls /proc/$$/fd"], 10)
    assert set(answer.stdout.split()) <= {b"0", b"1", b"2", b"3"}


async def test_masked_and_readonly_paths_through_symlinks(lab: Lab, pod: Pod, tmp_path: Path, canary: Path) -> None:
    """CVE-2025-31133: what is masked is found below the root, and masked with the host's null device."""
    fields = security(masked_paths=["/secret", "/link"], readonly_paths=["/link2"])
    container, root = await prepared(lab, pod, tmp_path, lab.container("sh", "-c", "cat /secret; echo x > /secret; ls /link", **fields))  # fmt: skip
    (root / "secret").write_text("hidden")
    (root / "link").symlink_to(out_of(root, canary / "file"))
    (root / "link2").symlink_to(out_of(root, canary))
    output = await tried(lab, container)
    assert "hidden" not in output
    assert (root / "secret").read_text() == "hidden"


@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
async def test_kernel_file_systems_on_symlinks(lab: Lab, pod: Pod, tmp_path: Path, canary: Path, name: str) -> None:
    """CVE-2026-41579, CVE-2019-19921, CVE-2025-52881: refused, and nothing is made or written on the host."""
    container, root = await prepared(lab, pod, tmp_path, lab.container("true"))
    with suppress(FileNotFoundError):
        (root / name).rmdir()
    (root / name).symlink_to(out_of(root, canary))
    with pytest.raises(StartError):
        await lab.runtime.start_container(container)


async def test_console_over_symlinks(lab: Lab, pod: Pod, tmp_path: Path, canary: Path) -> None:
    """CVE-2025-52565."""
    container, root = await prepared(lab, pod, tmp_path, lab.container("sh", "-c", "echo x > /dev/console", tty=True))
    (root / "dev").mkdir(exist_ok=True)
    for name in ("console", "pts", "ptmx"):
        (root / "dev" / name).symlink_to(out_of(root, canary / "file"))
    await tried(lab, container)


async def test_mount_points_that_are_symlinks(lab: Lab, pod: Pod, canary: Path, tmp_path: Path) -> None:
    """A volume on `/data -> ../../host` lands below the root."""
    (tmp_path / "volume").mkdir()
    mounts = [t.Mount(container_path="/data/sub", host_path=str(tmp_path / "volume"))]
    container, root = await prepared(
        lab, pod, tmp_path, lab.container("sh", "-c", "echo x > /data/sub/new", mounts=mounts)
    )
    (root / "data").symlink_to(out_of(root, canary))
    await tried(lab, container)


async def test_mount_point_swapped_while_mounting(lab: Lab, pod: Pod, canary: Path, tmp_path: Path) -> None:
    """CVE-2021-30465."""
    volume, inner = tmp_path / "volume", tmp_path / "inner"
    volume.mkdir()
    inner.mkdir()
    mounts = [
        t.Mount(container_path="/vol", host_path=str(volume)),
        t.Mount(container_path="/vol/dir", host_path=str(inner)),
    ]
    target = "../" * 20 + str(canary).lstrip("/")
    with racing(volume, target):
        for number in range(10):
            config = lab.container("sh", "-c", "echo x > /vol/dir/new", mounts=mounts, log_path=f"{number}.log")
            await tried(lab, await lab.runtime.create_container(pod.id, config, pod.config))


async def test_cgroups_are_read_only(lab: Lab, pod: Pod) -> None:
    """CVE-2023-25809."""
    find = "find /sys/fs/cgroup -name cgroup.procs | while read f; do"
    script = f"{find} mkdir ${{f%/*}}/evil && echo made; mount -o remount,rw ${{f%/*}} && echo remounted; done"
    output = await pod.output("sh", "-c", script)
    assert not {"made", "remounted"} & set(output.splitlines())


async def test_nothing_is_inheritable(lab: Lab, pod: Pod) -> None:
    """CVE-2022-29162, CVE-2022-24769: in containers and in what is executed there."""
    caps = t.Capability(add_capabilities=["SYS_PTRACE"])
    config = lab.container("sh", "-c", "grep CapInh /proc/self/status; sleep 1000", **security(capabilities=caps))
    container = await pod.start(config)
    answer = await lab.runtime.exec_sync(container, ["grep", "CapInh", "/proc/self/status"], 10)
    assert answer.stdout.split() == [b"CapInh:", b"0" * 16]
    status = (await lab.runtime.container_status(container)).log_path
    assert "CapInh:\t" + "0" * 16 in Path(status).read_text()


async def test_missing_sources_are_not_made(lab: Lab, pod: Pod, tmp_path: Path) -> None:
    """CVE-2024-45310."""
    mounts = [t.Mount(container_path="/data", host_path=str(tmp_path / "nothing"))]
    container = await lab.runtime.create_container(pod.id, lab.container("true", mounts=mounts), pod.config)
    with pytest.raises(StartError, match="nothing"):
        await lab.runtime.start_container(container)
    assert not (tmp_path / "nothing").exists()


async def test_devices_are_denied(lab: Lab, pod: Pod) -> None:
    """A node can be made, but not opened."""
    output = await pod.output(
        "sh", "-c", "mknod /disk b 254 0; head -c 1 /disk || echo denied; head -c 3 /dev/zero | wc -c"
    )
    assert {"denied", "3"} <= set(output.splitlines())
