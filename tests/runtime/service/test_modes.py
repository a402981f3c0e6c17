"""Pods that share more with the node, or ask for more than others."""

import os
import socket
from pathlib import Path

import msgspec
import pytest
from tests.processes import command_lines

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.cri.testsuite import Lab, security
from pybernetes.runtime import syscalls
from pybernetes.runtime.cgroups.group import Cgroup

NODE = t.NamespaceMode.NODE


def shares(options: t.NamespaceOption, **fields: object) -> t.LinuxPodSandboxConfig:
    context = t.LinuxSandboxSecurityContext(namespace_options=options)
    return msgspec.structs.replace(t.LinuxPodSandboxConfig(security_context=context), **fields)


async def test_privileged(lab: Lab) -> None:
    pod = await lab.run_pod()
    script = "grep CapEff /proc/self/status; mount -t tmpfs x /mnt && echo mounted; [ -e /dev/kmsg ] && echo devices"
    output = await pod.output("sh", "-c", f"mkdir -p /mnt; {script}", **security(privileged=True))
    with open("/proc/self/status") as file:
        ours = next(line.split()[1] for line in file if line.startswith("CapBnd"))
    assert f"CapEff:\t{ours}" in output
    assert {"mounted", "devices"} <= set(output.splitlines())


async def test_host_processes(lab: Lab) -> None:
    options = t.NamespaceOption(pid=NODE)
    pod = await lab.run_pod(lab.pod(linux=shares(options)))
    output = await pod.output(
        "sh", "-c", "readlink /proc/self/ns/pid; sleep 5432 &", **security(namespace_options=options)
    )
    assert output == os.readlink("/proc/self/ns/pid")
    running = command_lines().values()
    assert not any(b"5432" in line for line in running), "what a container leaves behind ends with it"


async def test_host_ipc(lab: Lab) -> None:
    options = t.NamespaceOption(ipc=NODE, pid=t.NamespaceMode.CONTAINER)
    pod = await lab.run_pod(lab.pod(linux=shares(options)))
    output = await pod.output("readlink", "/proc/self/ns/ipc", **security(namespace_options=options))
    assert output == os.readlink("/proc/self/ns/ipc")


async def test_host_network_under_the_nodes_name(lab: Lab) -> None:
    """What the kernel says is what $HOSTNAME and /etc/hostname say, and the machine keeps its own."""
    options, before = t.NamespaceOption(network=NODE, pid=t.NamespaceMode.CONTAINER), socket.gethostname()
    pod = await lab.run_pod(lab.pod(linux=shares(options)))
    script = "hostname; echo $HOSTNAME; cat /etc/hostname; readlink /proc/self/ns/net"
    output = await pod.output("sh", "-c", script, **security(namespace_options=options))
    assert output.split() == [*[pod.config.hostname] * 3, os.readlink("/proc/self/ns/net")]
    assert socket.gethostname() == before


async def test_sysctls_of_the_pod(lab: Lab) -> None:
    options = t.NamespaceOption(pid=t.NamespaceMode.CONTAINER)
    sysctls = {"net.ipv4.ip_unprivileged_port_start": "80", "kernel.shm_rmid_forced": "1"}
    pod = await lab.run_pod(lab.pod(linux=shares(options, sysctls=sysctls)))
    paths = ["/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/shm_rmid_forced"]
    assert await pod.output("cat", *paths) == "80\n1"


async def test_processes_of_another_container(lab: Lab) -> None:
    """An ephemeral container sees those of its target, and only them."""
    pod = await lab.run_pod()
    target = await pod.start(lab.container("sleep", "7654"))
    options = t.NamespaceOption(pid=t.NamespaceMode.TARGET, target_id=target)
    seen = await pod.output("ps", "-o", "args", log_path="b.log", **security(namespace_options=options))
    assert "sleep 7654" in seen


async def test_user_by_name_and_its_groups(lab: Lab, tmp_path: Path) -> None:
    pod = await lab.run_pod()
    output = await pod.output("id", "-u", **security(run_as_username="root"))
    assert output == "0"
    with pytest.raises(InvalidError, match="unable to find user nobody-here"):
        await lab.runtime.create_container(
            pod.id, lab.container("id", **security(run_as_username="nobody-here")), pod.config
        )


@pytest.mark.parametrize("oci_runtime", ["builtin"])
async def test_a_volume_by_its_descriptor(lab: Lab, tmp_path: Path) -> None:
    """As a kubelet may pass a checked subpath; runc would open it in another mount namespace, and cannot."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_text("inside")
    fd = os.open(tmp_path / "sub", os.O_PATH)
    pod = await lab.run_pod()
    try:
        mounts = [t.Mount(container_path="/data", host_path=f"/proc/{os.getpid()}/fd/{fd}", readonly=True)]
        assert await pod.output("cat", "/data/file", mounts=mounts) == "inside"
    finally:
        os.close(fd)


async def test_mount_propagation_to_the_container(lab: Lab, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "later").mkdir(parents=True)
    syscalls.mount(str(volume), str(volume), flags=syscalls.MS_BIND)
    syscalls.mount("", str(volume), flags=syscalls.MS_SHARED)
    try:
        propagation = t.MountPropagation.PROPAGATION_HOST_TO_CONTAINER
        mounts = [t.Mount(container_path="/data", host_path=str(volume), propagation=propagation)]
        pod = await lab.run_pod()
        container = await pod.start(lab.container("sleep", "1000", mounts=mounts))
        syscalls.mount("tmpfs", str(volume / "later"), "tmpfs")
        (volume / "later" / "seen").touch()
        answer = await lab.runtime.exec_sync(container, ["ls", "/data/later"], 10)
        assert answer.stdout == b"seen\n"
    finally:
        syscalls.umount(str(volume / "later"))
        syscalls.umount(str(volume))


async def test_readonly_root_keeps_the_kubelets_files(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 me\n")
    mounts = [t.Mount(container_path="/etc/hosts", host_path=str(tmp_path / "hosts"))]
    pod = await lab.run_pod()
    script = "cat /etc/hosts; echo x > /dev/shm/x && echo shm; echo x >> /etc/resolv.conf || echo readonly"
    output = await pod.output("sh", "-c", script, mounts=mounts, **security(readonly_rootfs=True))
    assert {"127.0.0.1 me", "shm", "readonly"} <= set(output.splitlines())


async def test_pods_are_apart(lab: Lab) -> None:
    first, second = await lab.run_pod(), await lab.run_pod()
    script = "for kind in net ipc uts pid mnt; do readlink /proc/self/ns/$kind; done"
    containers = [await pod.start(lab.container("sleep", "1000")) for pod in (first, second)]
    answers = [await lab.runtime.exec_sync(container, ["sh", "-c", script], 10) for container in containers]
    seen = [answer.stdout.decode().splitlines() for answer in answers]
    assert len(seen[0]) == 5
    assert not set(seen[0]) & set(seen[1])
    assert not set(seen[0]) & {os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "ipc", "uts", "pid", "mnt")}


@pytest.mark.skipif(not Cgroup("/").has_unified("memory"), reason="memory is not v2's on this machine")
async def test_out_of_memory_ends_a_container_and_not_its_pod(lab: Lab) -> None:
    config = lab.pod()
    assert config.linux is not None
    limits = t.LinuxContainerResources(memory_limit_in_bytes=64 << 20)
    pod = await lab.run_pod(
        msgspec.structs.replace(config, linux=msgspec.structs.replace(config.linux, resources=limits))
    )
    linux = msgspec.structs.replace(lab.container().linux or t.LinuxContainerConfig(), resources=limits)
    container = await pod.start(lab.container("sleep", "1000", linux=linux))
    directory = Path(Cgroup(config.linux.cgroup_parent).unified or "")
    files = [directory / "memory.oom.group", directory / container / "memory.oom.group"]
    assert [file.read_text().strip() for file in files] == ["0", "1"]
