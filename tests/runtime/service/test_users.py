"""Pods with a user namespace: root inside, nobody outside; files have the ids that they have on disk."""

import itertools
import os
from pathlib import Path

import msgspec
import pytest
from tests.runtime.service.conftest import OpenLab

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.cri.testsuite import Lab, Pod, security

HOST, SIZE = 3 << 16, 1 << 16
POD, CONTAINER = t.NamespaceMode.POD, t.NamespaceMode.CONTAINER
RANGE = [t.IDMapping(host_id=HOST, container_id=0, length=SIZE)]
_LOGS = itertools.count()
USERS = t.UserNamespace(mode=POD, uids=RANGE, gids=RANGE)

pytestmark = pytest.mark.parametrize("oci_runtime", ["builtin"])


def options(pid: t.NamespaceMode = CONTAINER) -> t.NamespaceOption:
    return t.NamespaceOption(pid=pid, userns_options=USERS)


def mapped(lab: Lab, pid: t.NamespaceMode = CONTAINER) -> t.PodSandboxConfig:
    config = lab.pod()
    assert config.linux is not None
    context = t.LinuxSandboxSecurityContext(namespace_options=options(pid))
    return msgspec.structs.replace(config, linux=msgspec.structs.replace(config.linux, security_context=context))


async def output(pod: Pod, script: str, mounts: list[t.Mount] | None = None, **fields: object) -> list[str]:
    fields.setdefault("namespace_options", options())
    changes = {"mounts": mounts or [], "log_path": f"{next(_LOGS)}.log", **security(**fields)}
    return (await pod.output("sh", "-c", script, **changes)).splitlines()


async def test_root_inside_is_nobody_outside(lab: Lab) -> None:
    pod = await lab.run_pod(mapped(lab))
    container = await pod.start(lab.container("sleep", "1016", **security(namespace_options=options())))
    said = await lab.runtime.exec_sync(container, ["sh", "-c", "id -u; cat /proc/self/uid_map; ps -o user,args"], 5)
    lines = said.stdout.decode().splitlines()
    assert (lines[0], lines[1].split()) == ("0", ["0", str(HOST), str(SIZE)])
    assert ["root", "sleep", "1016"] in [line.split() for line in lines]
    owners = {path.stat().st_uid for path in Path("/proc").glob("[0-9]*") if _runs(path, b"sleep\x001016\x00")}
    assert owners == {HOST}
    assert os.readlink("/proc/self/ns/user") != (await lab.runtime.exec_sync(container, ["readlink", "/proc/1/ns/user"], 5)).stdout.decode().strip()  # fmt: skip


def _runs(process: Path, command: bytes) -> bool:
    try:
        return (process / "cmdline").read_bytes().endswith(command)
    except OSError:
        return False


async def test_all_containers_of_the_pod_share_it(lab: Lab) -> None:
    pod = await lab.run_pod(mapped(lab))
    seen = [await output(pod, "for n in user net ipc; do readlink /proc/self/ns/$n; done") for _ in range(2)]
    assert seen[0] == seen[1]


async def test_its_root_can_do_in_it_what_root_can(lab: Lab) -> None:
    pod = await lab.run_pod(mapped(lab))
    script = (
        "mkdir /new && chown 7:8 /new && stat -c '%u %g' /new /bin/busybox /etc/hostname /dev/shm; echo x > /dev/null"
    )
    assert await output(pod, script) == ["7 8", "0 0", "0 0", "0 0"]
    assert "mounted" in await output(pod, "mkdir -p /mnt && mount -t tmpfs x /mnt && echo mounted", privileged=True)
    assert await output(pod, "mkdir -p /mnt; mount -t tmpfs x /mnt 2> /dev/null || echo refused") == ["refused"]


async def test_volumes_have_the_ids_that_they_have_on_disk(lab: Lab, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o777)
    volume.chmod(0o777)
    (volume / "old").write_text("old")
    os.chown(volume / "old", 5, 6)
    pod = await lab.run_pod(mapped(lab))
    mounts = [t.Mount(container_path="/data", host_path=str(volume), uid_mappings=RANGE, gid_mappings=RANGE)]
    assert await output(pod, "stat -c '%u %g' /data/old && touch /data/made && echo done", mounts) == ["5 6", "done"]
    user = {"run_as_user": t.Int64Value(value=1000), "run_as_group": t.Int64Value(value=1001)}
    assert await output(pod, "touch /data/of-user && stat -c '%u %g' /data/of-user", mounts, **user) == ["1000 1001"]
    found = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in volume.iterdir()}
    assert found == {"old": (5, 6), "made": (0, 0), "of-user": (1000, 1001)}


async def test_without_mapping_a_volume_is_of_nobody(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("secret")
    (tmp_path / "file").chmod(0o600)
    pod = await lab.run_pod(mapped(lab))
    mounts = [t.Mount(container_path="/file", host_path=str(tmp_path / "file"))]
    assert await output(pod, "stat -c %u /file; cat /file 2> /dev/null || echo refused", mounts) == ["65534", "refused"]


async def test_one_pid_namespace_for_the_pod(lab: Lab) -> None:
    pod = await lab.run_pod(mapped(lab, POD))
    context = {"namespace_options": options(POD)}
    waiting = await pod.start(lab.container("sleep", "1000", log_path="a.log", **security(**context)))
    lines = await output(pod, "ps -o user,args", **context)
    assert [line.split()[0] for line in lines if "/pause" in line or "sleep 1000" in line] == ["root", "root"]
    await lab.runtime.stop_container(waiting, 0)


async def test_users_and_streams(lab: Lab) -> None:
    pod = await lab.run_pod(mapped(lab))
    user = {"run_as_user": t.Int64Value(value=1000)}
    assert await output(pod, "id -u; echo again > /dev/stdout", **user) == ["1000", "again"]


async def test_a_terminal_is_the_users(lab: Lab) -> None:
    pod = await lab.run_pod(mapped(lab))
    user = security(namespace_options=options(), run_as_user=t.Int64Value(value=1000))
    status = await pod.run(lab.container("sh", "-c", "tty; stat -c %u $(tty); echo again > /dev/tty", tty=True, **user))
    lines = [line.split(" ", 3)[3].strip() for line in Path(status.log_path).read_text().splitlines()]
    assert lines == ["/dev/console", "1000", "again"] or lines == ["/dev/pts/0", "1000", "again"]


async def test_images_that_are_volumes(lab: Lab) -> None:
    pod = await lab.run_pod(mapped(lab))
    image = t.Mount(container_path="/image", image=t.ImageSpec(image=lab.image), uid_mappings=RANGE, gid_mappings=RANGE)
    assert await output(pod, "stat -c '%u %g' /image /image/bin/busybox", [image]) == ["0 0", "0 0"]


async def test_it_outlives_the_runtime(open_lab: OpenLab) -> None:
    async with open_lab() as lab:
        pod = await lab.run_pod(mapped(lab))
        container = await pod.start(lab.container("sleep", "1000", **security(namespace_options=options())))
    async with open_lab() as lab:
        pod = Pod(lab, pod.config, pod.id)
        assert (await lab.runtime.pod_sandbox_status(pod.id)).state == t.PodSandboxState.SANDBOX_READY
        assert (await lab.runtime.exec_sync(container, ["id", "-u"], 5)).stdout == b"0\n"
        assert (await output(pod, "cat /proc/self/uid_map"))[0].split() == ["0", str(HOST), str(SIZE)]
        await lab.runtime.remove_pod_sandbox(pod.id)


async def test_what_cannot_be_is_refused(lab: Lab) -> None:
    config = lab.pod()
    assert config.linux is not None
    node = t.NamespaceOption(network=t.NamespaceMode.NODE, userns_options=USERS)
    context = t.LinuxSandboxSecurityContext(namespace_options=node)
    config = msgspec.structs.replace(config, linux=msgspec.structs.replace(config.linux, security_context=context))
    with pytest.raises(InvalidError, match="cannot have network"):
        await lab.run_pod(config)
    features = {each.name: each.features for each in (await lab.runtime.status()).runtime_handlers}
    assert features[""] is not None
    assert features[""].user_namespaces
