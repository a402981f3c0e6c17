"""CRI's contract as tests. A runtime's test module subclasses Contract and provides the fixture `lab`."""

import asyncio
import contextlib
import itertools
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct, field

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, DeadlineError, ImageNotFoundError, NotFoundError, StartError
from pybernetes.cri.service import RuntimeService

_CREATED, _RUNNING, _EXITED = (
    t.ContainerState.CONTAINER_CREATED,
    t.ContainerState.CONTAINER_RUNNING,
    t.ContainerState.CONTAINER_EXITED,
)
_OWN_PIDS = t.NamespaceOption(pid=t.NamespaceMode.CONTAINER)


class Lab(Struct):
    """A runtime under test: `image` is present and has busybox's applets; `logs` and `cgroup` are the test's own."""

    runtime: RuntimeService
    image: str
    logs: Path
    cgroup: str
    handler: str = ""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def pod(self, name: str = "", **changes: object) -> t.PodSandboxConfig:
        """A sandbox configuration; `changes` replace fields."""
        number = next(self._numbers)
        name = name or f"pod-{number}"
        config = t.PodSandboxConfig(
            metadata=t.PodSandboxMetadata(name=name, uid=f"uid-{number}", namespace="default"),
            hostname=name,
            log_directory=str(self.logs / name),
            linux=t.LinuxPodSandboxConfig(
                cgroup_parent=f"{self.cgroup}/{name}",
                security_context=t.LinuxSandboxSecurityContext(namespace_options=_OWN_PIDS),
            ),
        )
        return msgspec.structs.replace(config, **changes)

    def container(self, *command: str, **changes: object) -> t.ContainerConfig:
        config = t.ContainerConfig(
            metadata=t.ContainerMetadata(name="main"),
            image=t.ImageSpec(image=self.image),
            command=list(command),
            log_path="main.log",
            linux=t.LinuxContainerConfig(security_context=t.LinuxContainerSecurityContext(namespace_options=_OWN_PIDS)),
        )
        return msgspec.structs.replace(config, **changes)

    async def run_pod(self, config: t.PodSandboxConfig | None = None) -> "Pod":
        config = config or self.pod()
        return Pod(self, config, await self.runtime.run_pod_sandbox(config, self.handler))

    async def ended(self, container_id: str, seconds: float = 10.0) -> t.ContainerStatus:
        """The status of the container once it has exited."""
        async with asyncio.timeout(seconds):
            while (status := await self.runtime.container_status(container_id)).state != _EXITED:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return status


class Pod(Struct):
    """A sandbox of the lab."""

    lab: Lab
    config: t.PodSandboxConfig
    id: str

    async def start(self, config: t.ContainerConfig) -> str:
        """Create and start a container; its id."""
        created = await self.lab.runtime.create_container(self.id, config, self.config)
        await self.lab.runtime.start_container(created)
        return created

    async def run(self, config: t.ContainerConfig) -> t.ContainerStatus:
        """Start a container and wait for its end."""
        return await self.lab.ended(await self.start(config))

    async def output(self, *command: str, **changes: object) -> str:
        """What a container with this command writes, as its log has it, without times."""
        status = await self.run(self.lab.container(*command, **changes))
        lines = Path(status.log_path).read_text().splitlines()
        return "\n".join(line.split(" ", 3)[3] for line in lines)


async def remove_all(runtime: RuntimeService) -> None:
    """Leave nothing of a test."""
    for sandbox in await runtime.list_pod_sandbox():
        await runtime.remove_pod_sandbox(sandbox.id)


def security(**fields: object) -> dict[str, t.LinuxContainerConfig]:
    """The change of a container that gives it a security context, in a PID namespace of its own unless it says else."""
    context = msgspec.structs.replace(t.LinuxContainerSecurityContext(namespace_options=_OWN_PIDS), **fields)
    return {"linux": t.LinuxContainerConfig(security_context=context)}


class Contract:
    """What the kubelet relies on. The test module provides the fixture `lab`."""

    async def test_runtime_is_ready(self, lab: Lab) -> None:
        status = await lab.runtime.status()
        assert status.status is not None
        assert {each.type for each in status.status.conditions if each.status} == {"RuntimeReady", "NetworkReady"}
        assert (await lab.runtime.version()).runtime_api_version == "v1"

    async def test_sandbox_states(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        assert (await lab.runtime.pod_sandbox_status(pod.id)).state == t.PodSandboxState.SANDBOX_READY
        await lab.runtime.stop_pod_sandbox(pod.id)
        await lab.runtime.stop_pod_sandbox(pod.id)
        assert (await lab.runtime.pod_sandbox_status(pod.id)).state == t.PodSandboxState.SANDBOX_NOTREADY
        await lab.runtime.remove_pod_sandbox(pod.id)
        await lab.runtime.remove_pod_sandbox(pod.id)
        with pytest.raises(NotFoundError):
            await lab.runtime.pod_sandbox_status(pod.id)

    async def test_container_states(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        config = lab.container("sleep", "1000", labels={"a": "b"}, annotations={"c": "d"})
        created = await lab.runtime.create_container(pod.id, config, pod.config)
        assert (await lab.runtime.container_status(created)).state == _CREATED
        await lab.runtime.start_container(created)
        running = await lab.runtime.container_status(created)
        assert (running.state, running.labels, running.annotations) == (_RUNNING, {"a": "b"}, {"c": "d"})
        assert 0 < running.created_at <= running.started_at
        await lab.runtime.stop_container(created, 0)
        ended = await lab.runtime.container_status(created)
        assert (ended.state, ended.exit_code, ended.reason) == (_EXITED, 137, "Error")
        assert ended.finished_at >= ended.started_at
        await lab.runtime.remove_container(created)
        await lab.runtime.remove_container(created)
        with pytest.raises(NotFoundError):
            await lab.runtime.container_status(created)

    @pytest.mark.parametrize(("command", "code", "reason"), [("true", 0, "Completed"), ("exit 7", 7, "Error")])
    async def test_exit_codes(self, lab: Lab, command: str, code: int, reason: str) -> None:
        pod = await lab.run_pod()
        status = await pod.run(lab.container("sh", "-c", command))
        assert (status.exit_code, status.reason) == (code, reason)

    async def test_stop_signal_then_kill(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        polite = await pod.start(lab.container("sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done"))
        await self._wait_logged(lab, polite, "up")
        await lab.runtime.stop_container(polite, 10)
        assert (await lab.runtime.container_status(polite)).exit_code == 3
        stubborn = await pod.start(lab.container("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"))
        await self._wait_logged(lab, stubborn, "up")
        await lab.runtime.stop_container(stubborn, 1)
        assert (await lab.runtime.container_status(stubborn)).exit_code == 137

    async def test_own_stop_signal(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        script = "trap 'exit 5' USR1; echo up; while :; do sleep 0.01; done"
        container = await pod.start(lab.container("sh", "-c", script, stop_signal=t.Signal.SIGUSR1))
        await self._wait_logged(lab, container, "up")
        await lab.runtime.stop_container(container, 10)
        assert (await lab.runtime.container_status(container)).exit_code == 5

    @pytest.mark.parametrize(
        ("command", "message"),
        [
            (["no-such-thing"], 'exec: "no-such-thing": executable file not found in $PATH'),
            (["/no/such/thing"], 'exec: "/no/such/thing": stat /no/such/thing: no such file or directory'),
            (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
        ],
    )
    async def test_commands_that_do_not_start(self, lab: Lab, command: list[str], message: str) -> None:
        pod = await lab.run_pod()
        created = await lab.runtime.create_container(pod.id, lab.container(*command), pod.config)
        with pytest.raises(StartError) as failure:
            await lab.runtime.start_container(created)
        assert message in str(failure.value)
        status = await lab.runtime.container_status(created)
        assert (status.state, status.exit_code, status.reason) == (_EXITED, 128, "StartError")
        assert message in status.message

    async def test_missing_image(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        config = lab.container("true", image=t.ImageSpec(image="no.such/image:v1"))
        with pytest.raises(ImageNotFoundError):
            await lab.runtime.create_container(pod.id, config, pod.config)

    async def test_log_format(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        status = await pod.run(lab.container("sh", "-c", "echo out; sleep 0.05; echo err >&2; printf rest"))
        lines = Path(status.log_path).read_text().splitlines()
        assert [line.split(" ")[1:] for line in lines if "stdout" in line] == [["stdout", "F", "out"], ["stdout", "P", "rest"]]  # fmt: skip
        assert [line.split(" ")[1:] for line in lines if "stderr" in line] == [["stderr", "F", "err"]]
        assert lines[0][10] == "T"
        assert lines[0].split(" ")[0].endswith("Z")

    async def test_log_rotation_loses_nothing(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        script = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); [ $((i%50)) = 0 ] && sleep 0.02; done"
        container = await pod.start(lab.container("sh", "-c", script))
        log = Path((await lab.runtime.container_status(container)).log_path)
        rotated = log.with_suffix(".1")
        log.rename(rotated)
        with contextlib.suppress(CRIError):
            await lab.runtime.reopen_container_log(container)
        await lab.ended(container)
        text = rotated.read_text() + (log.read_text() if log.exists() else "")
        assert [int(line.split()[-1]) for line in text.splitlines()] == list(range(400))

    async def test_exec_sync(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        container = await pod.start(lab.container("sleep", "1000", envs=[t.KeyValue(key="FOO", value=b"bar")]))
        answer = await lab.runtime.exec_sync(container, ["sh", "-c", "echo $FOO; echo no >&2; exit 4"], 10)
        assert answer == t.ExecSyncResponse(stdout=b"bar\n", stderr=b"no\n", exit_code=4)
        with pytest.raises(DeadlineError):
            await lab.runtime.exec_sync(container, ["sleep", "100"], 1)
        await lab.runtime.stop_container(container, 0)
        with pytest.raises(CRIError):
            await lab.runtime.exec_sync(container, ["true"], 10)

    async def test_exec_of_missing_command(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        container = await pod.start(lab.container("sleep", "1000"))
        with pytest.raises(CRIError, match='exec: "nope": executable file not found in \\$PATH'):
            await lab.runtime.exec_sync(container, ["nope"], 10)

    async def test_list_filters(self, lab: Lab) -> None:
        first, second = await lab.run_pod(lab.pod(labels={"app": "a"})), await lab.run_pod(lab.pod(labels={"app": "b"}))
        running = await first.start(lab.container("sleep", "1000", labels={"x": "1"}))
        ended = await second.start(lab.container("true", labels={"x": "2"}))
        await lab.ended(ended)

        async def ids(**fields: object) -> set[str]:
            wanted = msgspec.structs.replace(t.ContainerFilter(), **fields)
            return {each.id for each in await lab.runtime.list_containers(wanted)}

        assert await ids() == {running, ended}
        assert await ids(state=t.ContainerStateValue(state=_RUNNING)) == {running}
        assert await ids(pod_sandbox_id=second.id) == {ended}
        assert await ids(label_selector={"x": "1"}) == {running}
        found = await lab.runtime.list_pod_sandbox(t.PodSandboxFilter(label_selector={"app": "b"}))
        assert [each.id for each in found] == [second.id]

    async def test_pod_shares_network_ipc_and_hostname(self, lab: Lab) -> None:
        pod = await lab.run_pod(lab.pod("shared"))
        kinds = "for kind in net ipc uts; do readlink /proc/self/ns/$kind; done"
        script = f"hostname; cat /etc/hostname; {kinds}; ls /dev/shm"
        first = await pod.output("sh", "-c", f"echo > /dev/shm/seen; {script}")
        second = await pod.output("sh", "-c", script, log_path="second.log")
        assert first == second
        assert first.splitlines()[:2] == ["shared", "shared"]
        assert [line.split(":")[0] for line in first.splitlines()[2:5]] == ["net", "ipc", "uts"]
        assert first.endswith("seen")
        address = (await lab.runtime.pod_sandbox_status(pod.id)).network
        assert address is not None
        assert f"inet {address.ip}/" in await pod.output("ip", "addr", log_path="third.log")

    async def test_dns_configuration(self, lab: Lab) -> None:
        dns = t.DNSConfig(servers=["10.96.0.10"], searches=["svc.cluster.local"], options=["ndots:5"])
        pod = await lab.run_pod(lab.pod(dns_config=dns))
        expected = "search svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5"
        assert await pod.output("cat", "/etc/resolv.conf") == expected

    async def test_user_groups_and_environment(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        output = await pod.output(
            "sh", "-c", "id; pwd; umask", working_dir="/made/for/me",
            **security(run_as_user=t.Int64Value(value=1234), run_as_group=t.Int64Value(value=77), supplemental_groups=[88]),
        )  # fmt: skip
        assert output.splitlines() == ["uid=1234 gid=77 groups=77,88", "/made/for/me", "0022"]

    async def test_capabilities(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        show = ("sh", "-c", "grep -E 'Cap(Inh|Eff|Bnd|Amb)' /proc/self/status")
        default = await pod.output(*show)
        assert [line.split()[1] for line in default.splitlines()] == [
            "0" * 16, "00000000a80425fb", "00000000a80425fb", "0" * 16,
        ]  # fmt: skip
        change = t.Capability(add_capabilities=["NET_ADMIN"], drop_capabilities=["ALL"])
        changed = await pod.output(*show, log_path="b.log", **security(capabilities=change))
        assert {line.split()[1] for line in changed.splitlines()} == {"0" * 16, "0000000000001000"}

    async def test_no_new_privileges_and_seccomp(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        output = await pod.output(
            "sh", "-c", "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; unshare -m true || echo refused",
            **security(no_new_privs=True, seccomp=t.SecurityProfile()),
        )  # fmt: skip
        assert "NoNewPrivs:\t1\nSeccomp:\t2" in output
        assert "refused" in output.splitlines()

    async def test_readonly_root_and_paths(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        script = "echo > /file || echo root; echo 1 > /proc/sys/vm/swappiness || echo sys; cat /proc/keys | wc -c"
        fields = security(readonly_rootfs=True, masked_paths=["/proc/keys"], readonly_paths=["/proc/sys"])
        output = await pod.output("sh", "-c", script, **fields)
        assert [line for line in output.splitlines() if "sh:" not in line] == ["root", "sys", "0"]

    async def test_mounts(self, lab: Lab, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("there")
        mounts = [
            t.Mount(container_path="/data/deep", host_path=str(tmp_path)),
            t.Mount(container_path="/one", host_path=str(tmp_path / "file"), readonly=True),
        ]
        pod = await lab.run_pod()
        script = "cat /data/deep/file /one; echo; echo new > /data/deep/made; echo x > /one || echo readonly"
        output = await pod.output("sh", "-c", script, mounts=mounts)
        assert {"therethere", "readonly"} <= set(output.splitlines())
        assert (tmp_path / "made").read_text() == "new\n"

    async def test_an_image_as_a_volume(self, lab: Lab) -> None:
        image = t.ImageSpec(image=lab.image)
        mounts = [
            t.Mount(container_path="/all", image=image, readonly=True),
            t.Mount(container_path="/part", image=image, image_sub_path="bin", readonly=True),
        ]
        pod = await lab.run_pod()
        script = "cmp /bin/busybox /all/bin/busybox && cmp /bin/busybox /part/busybox && echo same; "
        script += "echo x > /all/made || echo readonly; /part/busybox true || echo noexec"
        container_id = await pod.start(lab.container("sh", "-c", script, mounts=mounts))
        status = await lab.ended(container_id)
        assert [(mount.image, mount.image_sub_path) for mount in status.mounts[:2]] == [(image, ""), (image, "bin")]
        lines = await pod.output("sh", "-c", script, mounts=mounts)
        assert {"same", "readonly", "noexec"} <= set(lines.splitlines())

    async def test_an_image_volume_without_the_wanted_part(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        for part in ("missing", "../../missing", "bin/busybox/part"):
            mount = t.Mount(container_path="/x", image=t.ImageSpec(image=lab.image), image_sub_path=part)
            with pytest.raises(CRIError, match="failed to mount image volume"):
                await pod.start(lab.container("true", mounts=[mount]))

    async def test_shared_pid_namespace(self, lab: Lab) -> None:
        options = t.NamespaceOption(pid=t.NamespaceMode.POD)
        linux = t.LinuxPodSandboxConfig(
            cgroup_parent=f"{lab.cgroup}/together",
            security_context=t.LinuxSandboxSecurityContext(namespace_options=options),
        )
        pod = await lab.run_pod(lab.pod(linux=linux))
        await pod.start(lab.container("sleep", "4321", **security(namespace_options=options)))
        seen = await pod.output("ps", "-o", "args", log_path="b.log", **security(namespace_options=options))
        assert "sleep 4321" in seen

    async def test_out_of_memory(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        linux = msgspec.structs.replace(
            security()["linux"], resources=t.LinuxContainerResources(memory_limit_in_bytes=16 << 20)
        )
        status = await pod.run(lab.container("sh", "-c", "tail /dev/zero", linux=linux))
        assert (status.exit_code, status.reason) == (137, "OOMKilled")

    async def test_limits_and_their_update(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        resources = t.LinuxContainerResources(memory_limit_in_bytes=32 << 20, cpu_quota=20000, cpu_period=100000)
        linux = msgspec.structs.replace(security()["linux"], resources=resources)
        container = await pod.start(lab.container("sleep", "1000", linux=linux))
        change = t.LinuxContainerResources(memory_limit_in_bytes=64 << 20)
        await lab.runtime.update_container_resources(container, change)
        stats = await lab.runtime.container_stats(container)
        assert stats.memory is not None
        assert stats.memory.available_bytes is not None
        assert 32 << 20 < stats.memory.available_bytes.value <= 64 << 20
        kept = (await lab.runtime.container_status(container)).resources
        assert kept is not None
        assert kept.linux is not None
        assert (kept.linux.memory_limit_in_bytes, kept.linux.cpu_quota) == (64 << 20, 20000)

    async def test_the_limits_of_a_pod_change(self, lab: Lab) -> None:
        linux = t.LinuxPodSandboxConfig(cgroup_parent=f"{lab.cgroup}/resized")
        pod = await lab.run_pod(lab.pod(linux=linux))
        buffer = lab.container("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", log_path="a.log")
        assert (await pod.run(buffer)).exit_code == 0
        change = t.LinuxContainerResources(memory_limit_in_bytes=16 << 20)
        await lab.runtime.update_pod_sandbox_resources(pod.id, t.LinuxContainerResources(), change)
        again = lab.container("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", log_path="b.log")
        assert (await pod.run(again)).exit_code == 137

    async def test_terminal(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        output = await pod.output("sh", "-c", "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && ls -l /dev/console", tty=True)
        first, second = output.splitlines()
        assert first.startswith("/dev/")
        assert "/dev/console" in second

    async def test_events(self, lab: Lab) -> None:
        kinds: list[tuple[str, str]] = []
        listening = asyncio.Event()

        async def read() -> None:
            async for event in lab.runtime.get_container_events():
                listening.set()
                kinds.append((event.container_id, event.container_event_type.name.split("_")[1]))

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            reader = group.create_task(read())
            while not listening.is_set():
                pod = await lab.run_pod()
                await asyncio.sleep(0.01)
            container = await pod.start(lab.container("true"))
            await lab.ended(container)
            await lab.runtime.remove_container(container)
            while (container, "DELETED") not in kinds:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            reader.cancel()
        assert [kind for id, kind in kinds if id == container] == ["CREATED", "STARTED", "STOPPED", "DELETED"]

    async def test_removing_a_sandbox_ends_its_containers(self, lab: Lab) -> None:
        pod = await lab.run_pod()
        container = await pod.start(lab.container("sleep", "1000"))
        await lab.runtime.remove_pod_sandbox(pod.id)
        with pytest.raises(NotFoundError):
            await lab.runtime.container_status(container)
        assert await lab.runtime.list_containers() == []

    async def _wait_logged(self, lab: Lab, container: str, text: str) -> None:
        log = Path((await lab.runtime.container_status(container)).log_path)
        async with asyncio.timeout(10):
            while not log.exists() or not log.read_text().endswith(f"{text}\n"):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
