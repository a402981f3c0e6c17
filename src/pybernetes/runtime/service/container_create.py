"""CreateContainer."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.oci import cdi, seccomp
from pybernetes.runtime.oci.process import security_of
from pybernetes.runtime.oci.signals import stop_signal_number
from pybernetes.runtime.oci.spec import Parts, build_spec
from pybernetes.runtime.oci.users import resolve_user
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import choose_program
from pybernetes.runtime.service.image_volumes import mount_images
from pybernetes.runtime.service.sandbox_files import namespace_paths, sandbox_paths, users_file
from pybernetes.runtime.state import Container, ContainerRecord, Sandbox


async def create_container(core: Core, pod_sandbox_id: str, config: t.ContainerConfig) -> str:
    """Mount its root and write its bundle; on failure neither stays."""
    sandbox = core.table.sandbox(pod_sandbox_id)
    sandbox.check_running()
    image_id = core.images.resolve(config.image.image if config.image else "")
    container_id = core.options.new_id()
    try:
        # The directory comes first: should this process die, its successor knows by it whose root this is.
        await core.files.run(core.records.container_directory(container_id).mkdir, 0o700)
        users = users_file(core.records.sandbox_directory(sandbox.id), sandbox.record)
        rootfs = await core.images.snapshots.mount(image_id, container_id, users)
        mounts = await mount_images(core, config.mounts, container_id, users)
        record = await core.files.run(_prepare, core, sandbox, config, image_id, container_id, rootfs, mounts)
        sandbox.check_running()  # it may have been stopped meanwhile
    except BaseException as error:
        await core.images.snapshots.remove(container_id)
        await core.files.run(shutil.rmtree, core.records.container_directory(container_id), True)
        if isinstance(error, OSError):
            raise CRIError(f"failed to create container: {error}") from error
        raise
    core.table.containers[container_id] = Container(record)
    core.publish(container_id, t.ContainerEventType.CONTAINER_CREATED_EVENT, sandbox.id)
    return container_id


def _prepare(
    core: Core,
    sandbox: Sandbox,
    config: t.ContainerConfig,
    image_id: str,
    container_id: str,
    rootfs: Path,
    mounts: list[t.Mount],
) -> ContainerRecord:
    image = core.images.config(image_id)
    context = security_of(config)
    user = resolve_user(rootfs, context, image.user)
    sandbox_config = sandbox.record.config
    cgroup = f"{core.cgroup_parent(sandbox_config).rstrip('/')}/{container_id}"
    parts = Parts(
        config=msgspec.structs.replace(config, mounts=mounts),
        image=image,
        user=user,
        rootfs=rootfs,
        cgroup=cgroup,
        sandbox=sandbox_paths(core.records.sandbox_directory(sandbox.id), sandbox.record, core.options.netns),
        pid_namespace=_pid_namespace(core, sandbox, context),
        seccomp=seccomp.profile_for(context),
        users=sandbox.record.users,
        ends_as_one=Cgroup(cgroup).has_unified("memory"),
    )
    record = ContainerRecord(
        id=container_id,
        sandbox_id=sandbox.id,
        config=config,
        image_id=image_id,
        image_ref=core.images.image_ref(image_id),
        handler=sandbox.record.handler,
        created_at=core.now(),
        cgroup=cgroup,
        user=t.LinuxContainerUser(uid=user.uid, gid=user.gid, supplemental_groups=list(user.groups)),
        stop_signal=stop_signal_number(config.stop_signal, image.stop_signal),
        log_path=_log_path(sandbox_config, config),
    )
    _check_hooks(write_bundle(core.records.container_directory(container_id), parts), record.handler, core)
    core.records.save(record)
    return record


def write_bundle(directory: Path, parts: Parts) -> dict[str, Any]:
    """config.json, which is returned, and beside it the compiled seccomp filter, which only the builtin launcher reads."""
    spec = build_spec(parts)
    cdi.inject(spec, [device.name for device in parts.config.cdi_devices])
    (directory / "config.json").write_text(json.dumps(spec))
    if parts.seccomp is not None:
        (directory / "seccomp.bpf").write_bytes(seccomp.compile_profile(parts.seccomp))
    return spec


def _check_hooks(spec: dict[str, Any], handler: str, core: Core) -> None:
    """Programs that are to run beside a container's start are runc's and crun's business."""
    if spec.get("hooks") and not choose_program(handler, core.options.oci_runtime):
        raise InvalidError("CDI device injection failed: hooks need a RuntimeClass with the handler runc or crun")


def rewrite_resources(directory: Path, resources: dict[str, Any]) -> None:
    """Change limits in the bundle, but not its device rules."""
    spec = json.loads((directory / "config.json").read_text())
    spec["linux"]["resources"] |= resources
    temporary = directory / "config.json.new"
    temporary.write_text(json.dumps(spec))
    os.replace(temporary, directory / "config.json")


def _pid_namespace(core: Core, sandbox: Sandbox, context: t.LinuxContainerSecurityContext) -> str:
    """The PID namespace to join: the pod's, another container's, or (empty) none."""
    options = context.namespace_options or t.NamespaceOption(pid=t.NamespaceMode.CONTAINER)
    if options.pid == t.NamespaceMode.POD:
        paths = namespace_paths(core.records.sandbox_directory(sandbox.id), sandbox.record)
        return paths.get("pid", "")
    if options.pid == t.NamespaceMode.TARGET:
        target = core.table.container(options.target_id)
        if target.state != t.ContainerState.CONTAINER_RUNNING or target.record.sandbox_id != sandbox.id:
            raise InvalidError(f"target container {options.target_id!r} is not running in this sandbox")
        return f"/proc/{target.pid}/ns/pid"
    return ""


def _log_path(sandbox: t.PodSandboxConfig, config: t.ContainerConfig) -> str:
    """Where the container's log goes; empty for nowhere."""
    if not sandbox.log_directory or not config.log_path:
        return ""
    path = os.path.join(sandbox.log_directory, config.log_path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    return path
