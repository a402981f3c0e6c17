"""What an image says of itself is its word only: no label, name or number in it becomes a command or path of the host."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.images import Tree, busybox

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.cri.testsuite import Lab, Pod
from pybernetes.kubelet import names
from pybernetes.runtime.images.service import Images


async def loaded(images: Images, tmp_path: Path, run: dict[str, Any], tree: Tree | None = None) -> str:
    """An image with busybox's files, this configuration, and more files on top."""
    base = busybox()
    layers = [*base.layers, tree.layer()] if tree else base.layers
    image = replace(base, layers=layers, run={**base.run, **run})
    (tmp_path / "archive.tar").unlink(missing_ok=True)
    (record,) = await images.load(image.write_archive(tmp_path / "archive.tar", "hostile:latest"))
    return "hostile:latest" if record else ""


async def outcome(lab: Lab, pod: Pod, image: str, *command: str) -> str:
    """The output of a container, or the words in which it was refused."""
    config = lab.container(*command, image=t.ImageSpec(image=image))
    try:
        container = await lab.runtime.create_container(pod.id, config, pod.config)
        await lab.runtime.start_container(container)
    except CRIError as error:
        return str(error)
    status = await lab.ended(container)
    return Path(status.log_path).read_text()


async def test_labels_are_nobodys_instructions(
    lab: Lab, pod: Pod, images: Images, tmp_path: Path, canary: Path
) -> None:
    """CVE-2026-53488: labels of an image came to a container's, by which a logger of the host was run."""
    program = f"binary://{canary}/program"
    labels = {
        "containerd.io/restart.loguri": program,
        "containerd.io/restart.status": "running",
        "io.containerd.runtime.options": f"{canary}/program",
        "run.oci.hooks.stdout": f"{canary}/made",
        "run.oci.handler": f"{canary}/program",
        "org.systemd.property.ExecStartPost": f"'{canary}/program'",
        "io.kubernetes.cri-o.annotations": program,
        names.TERMINATION_LOG: str(canary / "file"),
        names.TERMINATION_MESSAGE_PATH: str(canary / "file"),
        names.CONTAINER_NAME: "another",
        names.POD_UID: "../../../canary",
        "io.kubernetes.container.preStopHandler": json.dumps({"exec": {"command": [f"{canary}/program"]}}),
    }
    image = await loaded(images, tmp_path, {"Labels": labels})
    container = await pod.start(lab.container("sleep", "1000", image=t.ImageSpec(image=image)))
    status = await lab.runtime.container_status(container)
    assert (status.labels, status.annotations) == ({}, {})
    spec = json.loads((tmp_path / "runtime/containers" / container / "config.json").read_text())
    assert not {"annotations", "hooks"} & spec.keys()
    assert str(canary) not in json.dumps(spec)
    assert (await lab.runtime.exec_sync(container, ["echo", "runs"], 10)).stdout == b"runs\n"
    await lab.runtime.stop_container(container, 0)


HOSTILE: dict[str, dict[str, Any]] = {
    "volumes": {"Volumes": {"/../../../../canary": {}, "": {}, "relative": {}, "/proc": {}, "/dev/../etc": {}}},
    "ports": {"ExposedPorts": {"80; reboot": {}, "99999999/tcp": {}, "": {}}},
    "directory above": {"WorkingDir": "../../../.."},
    "directory of a descriptor": {"WorkingDir": "/proc/self/fd/8"},
    "directory with a zero": {"WorkingDir": "/a\0b"},
    "a long directory": {"WorkingDir": "/" + "x" * 5000},
    "user above": {"User": "../../../../etc/passwd"},
    "user and group above": {"User": "root:../../etc/group"},
    "a negative user": {"User": "-1"},
    "a user beyond all": {"User": str(1 << 32)},
    "a user of 5000 digits": {"User": "9" * 5000},
    "a group beyond all": {"User": f"0:{1 << 32}"},
    "a group of 5000 digits": {"User": "0:" + "9" * 5000},
    "digits of another script": {"User": "٣:٣"},
    "superscript digits": {"User": "²:²"},
    "environment of the loader": {"Env": ["LD_PRELOAD=/x.so", "LD_LIBRARY_PATH=/", "LD_AUDIT=/x.so"]},
    "environment of Python": {"Env": ["PYTHONPATH=/", "PYTHONSTARTUP=/x", "PYTHONHOME=/", "BASH_ENV=/x", "ENV=/x"]},
    "environment without names": {"Env": ["", "=", "=x", "\n", "a\nb=c", "x" * 100_000]},
    "environment with a zero": {"Env": ["A=b\0C=d"]},
    "another path": {"Env": ["PATH=../../../../../../bin::."]},
    "no path": {"Env": ["PATH="]},
    "stop signal": {"StopSignal": "SIGKILL; reboot"},
    "stop signal of 5000 digits": {"StopSignal": "9" * 5000},
    "superscript stop signal": {"StopSignal": "²"},
    "negative stop signal": {"StopSignal": "-9"},
    "real time beyond all": {"StopSignal": "SIGRTMIN+99"},
}


@pytest.mark.parametrize("run", HOSTILE.values(), ids=HOSTILE)
async def test_a_configuration_is_refused_or_harmless(
    lab: Lab, pod: Pod, images: Images, tmp_path: Path, canary: Path, run: dict[str, Any]
) -> None:
    image = await loaded(images, tmp_path, run)
    said = await outcome(lab, pod, image, "/bin/busybox", "sh", "-c", "echo runs; cat /etc/hostname; ls ..")
    host = Path("/etc/hostname").read_text().strip()
    assert host not in said.replace(pod.config.hostname, "")
    container = await lab.runtime.create_container(pod.id, lab.container("true", log_path="next.log"), pod.config)
    await lab.runtime.start_container(container)
    assert (await lab.ended(container)).exit_code == 0


@pytest.mark.parametrize("name", ["SIGKILL; reboot", "9" * 5000, "²", "-9", "SIGRTMIN+99", "SIGRTMAX-99", "0", "65"])
async def test_a_stop_signal_that_is_none_is_the_usual_one(
    lab: Lab, pod: Pod, images: Images, tmp_path: Path, name: str
) -> None:
    image = await loaded(images, tmp_path, {"StopSignal": name})
    config = lab.container("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done")
    config = msgspec.structs.replace(config, image=t.ImageSpec(image=image))
    container = await pod.start(config)
    log = Path((await lab.runtime.container_status(container)).log_path)
    async with asyncio.timeout(10):
        while "up" not in log.read_text():
            await asyncio.sleep(0.01)
    await lab.runtime.stop_container(container, 10)
    assert (await lab.ended(container)).exit_code == 7


@pytest.mark.parametrize(
    "command", [["/bin/sh\0-c"], [""], ["../../../../../bin/sh"], ["/proc/self/exe"], ["x" * 5000], ["/dev/console"]]
)
async def test_commands_that_are_none(
    lab: Lab, pod: Pod, images: Images, tmp_path: Path, canary: Path, command: list[str]
) -> None:
    image = await loaded(images, tmp_path, {"Entrypoint": command, "Cmd": [f"{canary}/program"]})
    assert "x >" not in await outcome(lab, pod, image)


ROWS = {
    "digits without end": "u:x:" + "9" * 5000 + ":0::/:/bin/sh\n",
    "numbers beyond all": f"u:x:{1 << 32}:{1 << 40}::/:/bin/sh\n",
    "superscripts": "u:x:²:²::/:/bin/sh\n",
    "negative": "u:x:-1:-1::/:/bin/sh\n",
    "a home above": "u:x:1000:1000::../../../..\0:/bin/sh\n",
    "not text": "u:x:1000:1000::/\udcff:/bin/sh\n",
    "without end": "u" * (2 << 20),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_databases_of_users(lab: Lab, pod: Pod, images: Images, tmp_path: Path, canary: Path, row: str) -> None:
    data = row.encode(errors="surrogateescape")
    tree = Tree().file("etc/passwd", data).file("etc/group", data.replace(b"::", b":u:"))
    image = await loaded(images, tmp_path, {"User": "u"}, tree)
    said = await outcome(lab, pod, image, "id", "-u")
    assert "uid" not in said
    assert said.split()[-1:] != ["0"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../etc/passwd", "/proc/self/root/etc/passwd", "/dev/zero"])  # fmt: skip
async def test_databases_that_lead_elsewhere(
    lab: Lab, pod: Pod, images: Images, tmp_path: Path, canary: Path, target: str
) -> None:
    """No user of the host's is one of the image's."""
    user = next(line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines() if ":root:" not in line)
    tree = Tree().symlink("etc/passwd", target).symlink("etc/group", target)
    image = await loaded(images, tmp_path, {"User": user}, tree)
    assert f"unable to find user {user}" in await outcome(lab, pod, image, "id")


async def test_layers_with_addresses_are_fetched_from_nowhere_else(images: Images, tmp_path: Path) -> None:
    """CVE-2020-15157's kind: a descriptor's `urls` are the image's word too."""
    base = busybox()
    manifest = json.loads(base.manifest)
    manifest["layers"][0] |= {"urls": ["http://127.0.0.1:9/layer"], "digest": "sha256:" + "0" * 64}
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "../../../canary", "x": "$(reboot)"}
    spoilt = type("Spoilt", (type(base),), {"manifest": json.dumps(manifest).encode()})(base.layers, base.run)
    with pytest.raises(CRIError) as told:
        await images.load(spoilt.write_archive(tmp_path / "a.tar", "spoilt:latest"))
    assert "127.0.0.1" not in str(told.value)
    assert "0" * 64 in str(told.value)


@pytest.mark.parametrize("name", ["../../etc/x:latest", "a/../../b:c", "UPPER/../x:y", "x:../y", "\0:a", "a b:c", "-x/y:z"])  # fmt: skip
async def test_names_in_archives(images: Images, tmp_path: Path, name: str) -> None:
    with pytest.raises(CRIError, match="bad name"):
        await images.load(busybox().write_archive(tmp_path / "a.tar", name))
