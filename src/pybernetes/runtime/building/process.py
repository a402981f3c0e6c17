"""A step's process: in a sandbox of its own on the pods' network, over the step's root, its output as it comes."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

from msgspec import Struct

from pybernetes.aio.tasks import open_scope
from pybernetes.cri import types as t
from pybernetes.cri.building import Exited, Output, Run
from pybernetes.cri.errors import CRIError, StartError
from pybernetes.runtime.building.mounts import Prepared
from pybernetes.runtime.building.resolver import step_resolver
from pybernetes.runtime.building.roots import Root
from pybernetes.runtime.launcher.client import Reply
from pybernetes.runtime.launcher.message import close_all
from pybernetes.runtime.oci import seccomp
from pybernetes.runtime.oci.spec import MASKED, READONLY, Parts, build_spec
from pybernetes.runtime.oci.users import resolve_user
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import choose_program
from pybernetes.runtime.service.sandbox_files import sandbox_paths
from pybernetes.runtime.service.sandbox_release import discard
from pybernetes.runtime.service.sandbox_run import make_sandbox
from pybernetes.runtime.state import STEP, SandboxRecord

log = logging.getLogger(__name__)

HOSTNAME = "buildkitsandbox"
"""What steps find as their host's name; scripts know it from docker."""

_CHUNK = 64 << 10
_WAITING = 64
_KILL_PATIENCE = 15.0
_UPLINK = Path("/run/systemd/resolve/resolv.conf")


class _Image(Struct, frozen=True):
    """The defaults of an image that has none."""

    env: Sequence[str]
    user: str
    entrypoint: Sequence[str] = ()
    cmd: Sequence[str] = ()
    working_dir: str = ""
    stop_signal: str = ""


@asynccontextmanager
async def open_sandbox(core: Core, network: bool) -> AsyncIterator[SandboxRecord]:
    """The namespaces of a step. They are no pod's: nobody else gets to see them, and a kill leaves them to recovery."""
    id = core.options.new_id()
    dns = step_resolver(_text(Path("/etc/resolv.conf")), _text(_UPLINK))
    config = t.PodSandboxConfig(
        hostname=HOSTNAME,
        dns_config=dns,
        labels={STEP: "true"},
        linux=t.LinuxPodSandboxConfig(cgroup_parent=f"{core.options.cgroup.rstrip('/')}/step-{id[:16]}"),
    )
    record = SandboxRecord(id, config, "", core.now(), core.boot_id, ready=False)
    record = await make_sandbox(core, record, network=network)
    try:
        yield record
    finally:
        await asyncio.shield(discard(core, record))


async def run_process(
    core: Core, sandbox: SandboxRecord, root: Root, run: Run, mounts: Prepared
) -> AsyncGenerator[Output | Exited, None]:
    """What it prints, and at last how it ended. Raises StartError, InvalidError. Closed early, it is killed."""
    uid = await core.files.run(_write_bundle, core, sandbox, root.path, run, mounts)
    ends = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    for _, write in ends:
        os.fchown(write, uid, -1)
    try:
        reply = core.zygote.ask(
            {
                "call": "foreground",
                "directory": str(core.records.sandbox_directory(sandbox.id)),
                "id": sandbox.id,
                "runtime": choose_program("", core.options.oci_runtime),
                "runtime_root": str(core.options.root / "oci"),
            },
            [null, *(write for _, write in ends)],
        )
    finally:
        close_all([null, *(write for _, write in ends)])
    async with _ending(reply) as ended:
        async with aclosing(_read([read for read, _ in ends])) as output:
            async for each in output:
                yield each
        yield await ended()


@asynccontextmanager
async def _ending(reply: Reply) -> AsyncIterator[Callable[[], Awaitable[Exited]]]:
    """Gives a function that waits for the end; without its being called to its end, the process is killed."""
    done = False

    async def ended() -> Exited:
        nonlocal done
        said, _ = await reply.next()
        done = True
        if "error" in said:
            raise StartError(f"runc run failed: unable to start container process: {said['error']}")
        return Exited(said["exit_code"], "OOMKilled" if said["oom"] else "")

    try:
        yield ended
    finally:
        if not done:
            reply.end()
            with suppress(CRIError, TimeoutError):
                await asyncio.shield(asyncio.wait_for(reply.next(), _KILL_PATIENCE))
        reply.close()


async def _read(fds: list[int]) -> AsyncGenerator[Output, None]:
    """What comes out of the pipes until both are closed at the other end; a slow reader slows the process down."""
    chunks: asyncio.Queue[Output | None] = asyncio.Queue(_WAITING)

    async def pump(stream: int, fd: int) -> None:
        reader = asyncio.StreamReader(limit=_CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb", 0))
        try:
            while data := await reader.read(_CHUNK):
                await chunks.put(Output(stream, data))
        finally:
            transport.close()
        await chunks.put(None)

    async with open_scope("step output") as scope:
        for stream, fd in enumerate(fds, 1):
            scope.spawn(pump(stream, fd), f"stream {stream}")
        for _ in fds:
            while (chunk := await chunks.get()) is not None:
                yield chunk


def _write_bundle(core: Core, sandbox: SandboxRecord, rootfs: Path, run: Run, mounts: Prepared) -> int:
    """Write config.json and the filter into the sandbox's directory; the process's uid."""
    directory = core.records.sandbox_directory(sandbox.id)
    hosts = directory / "hosts"
    own = f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{HOSTNAME}\n"
    given = [f"{address}\t{name}\n" for name, _, address in (each.partition(":") for each in run.hosts)]
    hosts.write_text("".join((own, *given)))
    hosts.chmod(0o644)
    context = t.LinuxContainerSecurityContext(
        namespace_options=t.NamespaceOption(pid=t.NamespaceMode.CONTAINER),
        seccomp=t.SecurityProfile(t.SecurityProfileProfileType.RuntimeDefault),
        masked_paths=MASKED,
        readonly_paths=READONLY,
    )
    config = t.ContainerConfig(
        command=list(run.args),
        working_dir=run.cwd,
        mounts=[t.Mount("/etc/hosts", str(hosts)), *mounts.binds],
        linux=t.LinuxContainerConfig(security_context=context),
    )
    user = resolve_user(rootfs, context, run.user)
    profile = seccomp.profile_for(context)
    parts = Parts(
        config=config,
        image=_Image(run.env, run.user),
        user=user,
        rootfs=rootfs,
        cgroup=f"{core.cgroup_parent(sandbox.config)}/process",
        sandbox=sandbox_paths(directory, sandbox, core.options.netns),
        seccomp=profile,
    )
    spec = build_spec(parts)
    spec["mounts"] = sorted([*spec["mounts"], *mounts.memory], key=lambda mount: str(mount["destination"]).count("/"))
    (directory / "config.json").write_text(json.dumps(spec))
    if profile is not None:
        (directory / "seccomp.bpf").write_bytes(seccomp.compile_profile(profile))
    return user.uid


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
