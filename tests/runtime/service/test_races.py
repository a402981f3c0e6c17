"""Calls that meet: what is asked of a pod while something else is done to it, and what is left when one of them fails."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.processes import command_lines, parent_of

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, StartError
from pybernetes.cri.testsuite import Lab
from pybernetes.runtime.cgroups.group import Cgroup, write
from pybernetes.runtime.launcher import message
from pybernetes.runtime.launcher.client import Reply
from pybernetes.runtime.service import container_stop
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.runtime import Runtime
from pybernetes.runtime.state import Sandbox

from .test_recovery import child_of, monitor_of

ON_THE_HOST = t.NamespaceOption(network=t.NamespaceMode.NODE, pid=t.NamespaceMode.CONTAINER, ipc=t.NamespaceMode.NODE)


@pytest.fixture
def oci_runtime() -> str:
    return "builtin"


@pytest.fixture
def core(lab: Lab) -> Core:
    assert isinstance(lab.runtime, Runtime)
    return lab.runtime.core


def pod_on_the_host(lab: Lab) -> t.PodSandboxConfig:
    """With no namespace of its own that a container could miss."""
    security = t.LinuxSandboxSecurityContext(namespace_options=ON_THE_HOST)
    return lab.pod(
        hostname="", linux=t.LinuxPodSandboxConfig(cgroup_parent=f"{lab.cgroup}/host", security_context=security)
    )


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_execs_that_do_not_start_leave_no_descriptors(lab: Lab) -> None:
    pod = await lab.run_pod()
    ended = await pod.start(lab.container("true"))
    await lab.ended(ended)
    before = descriptors()
    for _ in range(5):
        with pytest.raises(StartError, match="EXITED state"):
            await lab.runtime.exec_sync(ended, ["true"], 1)
    assert descriptors() == before


async def test_a_container_is_stopped_while_its_monitor_is_replaced(lab: Lab, core: Core) -> None:
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sleep", "1000"))
    zygote = next(
        pid for pid, title in command_lines().items() if title == b"p8s-zygote" and parent_of(pid) == os.getpid()
    )
    os.kill(zygote, signal.SIGSTOP)
    try:
        os.kill(monitor_of(container), signal.SIGKILL)
        while core.table.container(container).control is not None:
            await asyncio.sleep(0.001)
        stopping = asyncio.ensure_future(lab.runtime.stop_container(container, 0))
        await asyncio.sleep(0)
    finally:
        os.kill(zygote, signal.SIGCONT)
    await stopping
    assert (await lab.runtime.container_status(container)).state == t.ContainerState.CONTAINER_EXITED


async def test_a_monitor_that_is_killed_over_its_adoption_is_replaced_too(
    lab: Lab, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = core.zygote.ask

    def killed_at_once(request: dict[str, Any], fds: Sequence[int] = ()) -> Reply:
        asked.append(request["call"])
        if len(asked) > 1:
            return ask(request, fds)
        ours, theirs = message.pair()
        theirs.close()
        return Reply(ours)

    pod = await lab.run_pod()
    container = await pod.start(lab.container("sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.01; done"))
    child = child_of(monitor_of(container))
    monkeypatch.setattr(core.zygote, "ask", killed_at_once)
    os.kill(monitor_of(container), signal.SIGKILL)
    held = core.table.container(container)
    while held.exit is None and (len(asked) < 2 or held.control is None):
        await asyncio.sleep(0.001)
    assert asked == ["adopt", "adopt"]
    os.kill(child, 0)
    await lab.runtime.remove_container(container)


async def test_a_pod_that_does_not_stop_says_why(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """One container's trouble is told in its own words, and no other's business."""
    monkeypatch.setattr(container_stop, "_KILL_PATIENCE", 0.2)
    pod = await lab.run_pod()
    stuck = await pod.start(lab.container("sleep", "1000"))
    other = await pod.start(lab.container("sleep", "1000", log_path="other.log"))
    monitor = monitor_of(stuck)
    os.kill(monitor, signal.SIGSTOP)
    try:
        with pytest.raises(CRIError, match=f"container '{stuck}' did not end after SIGKILL"):
            await lab.runtime.stop_pod_sandbox(pod.id)
        assert (await lab.runtime.container_status(other)).state == t.ContainerState.CONTAINER_EXITED
        with pytest.raises(CRIError, match=f"container '{stuck}' did not end after SIGKILL"):
            await lab.runtime.remove_pod_sandbox(pod.id)
    finally:
        os.kill(monitor, signal.SIGCONT)
    await lab.ended(stuck)


async def test_a_pod_that_is_stopped_stops_what_is_being_started(lab: Lab) -> None:
    pod = await lab.run_pod()
    container = await lab.runtime.create_container(pod.id, lab.container("sleep", "1000"), pod.config)
    starting = asyncio.ensure_future(lab.runtime.start_container(container))
    await asyncio.sleep(0)
    await lab.runtime.stop_pod_sandbox(pod.id)
    await asyncio.wait([starting])
    assert (await lab.runtime.container_status(container)).state != t.ContainerState.CONTAINER_RUNNING
    starting.exception()


async def test_nothing_is_started_in_a_pod_that_was_stopped(lab: Lab) -> None:
    pod = await lab.run_pod(pod_on_the_host(lab))
    container = await lab.runtime.create_container(pod.id, lab.container("sleep", "1000"), pod.config)
    await lab.runtime.stop_pod_sandbox(pod.id)
    with pytest.raises(CRIError, match="is not running"):
        await lab.runtime.start_container(container)
    assert (await lab.runtime.container_status(container)).state == t.ContainerState.CONTAINER_CREATED


async def test_a_container_of_a_pod_that_goes_meanwhile_goes_too(
    lab: Lab, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted, go_on = asyncio.Event(), asyncio.Event()
    mount = core.images.snapshots.mount

    async def slow(*arguments: Any) -> Path:
        root = await mount(*arguments)
        mounted.set()
        await go_on.wait()
        return root

    monkeypatch.setattr(core.images.snapshots, "mount", slow)
    pod = await lab.run_pod()
    creating = asyncio.ensure_future(lab.runtime.create_container(pod.id, lab.container("true"), pod.config))
    await mounted.wait()
    await lab.runtime.remove_pod_sandbox(pod.id)
    go_on.set()
    with pytest.raises(CRIError, match="is not running"):
        await creating
    assert await lab.runtime.list_containers() == []
    assert core.images.snapshots.containers() == []


class Owned(dict[str, Sandbox]):
    """A table that only the thread may look through that changes it."""

    def values(self) -> Any:
        assert threading.current_thread() is threading.main_thread()
        return super().values()


async def test_the_table_is_looked_through_by_its_own_thread(lab: Lab, core: Core) -> None:
    pod = await lab.run_pod()
    core.table.sandboxes = Owned(core.table.sandboxes)
    await lab.runtime.remove_pod_sandbox(pod.id)
    assert await lab.runtime.list_pod_sandbox() == []


async def test_a_pods_cgroup_stays_while_its_next_sandbox_is_made(lab: Lab, core: Core) -> None:
    """Its limits would go with it."""
    resources = t.LinuxContainerResources(memory_limit_in_bytes=64 << 20)
    linux = t.LinuxPodSandboxConfig(cgroup_parent=f"{lab.cgroup}/pod", resources=resources)
    config = lab.pod(linux=linux)
    old = await lab.run_pod(config)
    await lab.runtime.stop_pod_sandbox(old.id)
    links = core.links.run
    removed: list[str] = []

    async def meanwhile(call: Callable[..., Any], *arguments: Any) -> Any:
        if call.__name__ == "_connect" and not removed:
            removed.append(old.id)
            await lab.runtime.remove_pod_sandbox(old.id)
        return await links(call, *arguments)

    core.links.run = meanwhile  # type: ignore[method-assign,assignment]
    try:
        new = await lab.run_pod(config)
    finally:
        core.links.run = links  # type: ignore[method-assign]
    assert removed == [old.id]
    directory = Cgroup(f"{lab.cgroup}/pod").directory("memory")
    assert directory is not None
    limits = [Path(directory, name) for name in ("memory.max", "memory.limit_in_bytes")]
    assert [int(path.read_text()) for path in limits if path.exists()] == [64 << 20]
    await lab.runtime.remove_pod_sandbox(new.id)
    assert not Path(directory).exists()


async def test_exec_where_the_container_has_cgroups_of_its_own(lab: Lab, core: Core) -> None:
    """As systemd or a container engine makes them: the container's own one may have no processes any more (cgroup v2)."""
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sleep", "1000"))
    directory = Cgroup(core.table.container(container).record.cgroup).unified
    if directory is None or not (controllers := Path(directory, "cgroup.controllers").read_text().split()):
        pytest.skip("cgroup v2 has no controller on this machine")
    inner = Path(directory, "init")
    inner.mkdir()
    write(str(inner / "cgroup.procs"), str(child_of(monitor_of(container))))
    write(str(Path(directory, "cgroup.subtree_control")), f"+{controllers[0]}")
    answer = await lab.runtime.exec_sync(container, ["cat", "/proc/self/cgroup"], 10)
    assert [line for line in answer.stdout.decode().splitlines() if line.startswith("0::")] == ["0::/init"]
