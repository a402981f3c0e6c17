"""The configuration of one container attempt. Pure: values, mounts and ids have been gathered before."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet import names
from pybernetes.kubelet.cgroups import container_resources
from pybernetes.kubelet.containers.expansion import expand
from pybernetes.kubelet.containers.sandbox import pod_labels
from pybernetes.kubelet.containers.security import ImageUser, container_security
from pybernetes.kubelet.plan import container_hash
from pybernetes.kubelet.podspec import AnyContainer, grace_seconds

TERMINATION_LOG = "/dev/termination-log"


class Prepared(Struct, frozen=True):
    """What a container needs beside its spec."""

    attempt: int
    image_ref: str
    image_user: ImageUser
    variables: Mapping[str, str]
    mounts: Sequence[t.Mount]
    termination_log: str
    """Host path of the file behind the termination message path; empty if there is none."""
    memory_capacity: int
    devices: Sequence[t.Device] = ()
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What device plugins tell the runtime."""
    cdi_names: Sequence[str] = ()
    """Devices by the names that their drivers gave them (Container Device Interface)."""
    target_id: str = ""
    """Container whose processes an ephemeral container sees."""
    users: t.UserNamespace | None = None
    """The ids of the pod's user namespace, if it has one."""


def container_config(pod: v1.Pod, container: AnyContainer, prepared: Prepared) -> t.ContainerConfig:
    """What the runtime is to create. Raises ConfigError where the security context forbids it."""
    variables = prepared.variables
    return t.ContainerConfig(
        metadata=t.ContainerMetadata(name=container.name, attempt=prepared.attempt),
        image=t.ImageSpec(image=prepared.image_ref, user_specified_image=container.image or ""),
        command=[expand(part, variables) for part in container.command],
        args=[expand(part, variables) for part in container.args],
        working_dir=container.working_dir or "",
        envs=[t.KeyValue(key=key, value=value.encode(errors="surrogateescape")) for key, value in variables.items()],
        mounts=_mapped(prepared),
        devices=list(prepared.devices),
        cdi_devices=[t.CDIDevice(name=name) for name in prepared.cdi_names],
        labels=pod_labels(pod) | {names.CONTAINER_NAME: container.name},
        annotations=_annotations(pod, container, prepared),
        log_path=f"{container.name}/{prepared.attempt}.log",
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdin_once),
        tty=bool(container.tty),
        linux=t.LinuxContainerConfig(
            resources=container_resources(pod, container, prepared.memory_capacity),
            security_context=container_security(
                pod, container, prepared.image_user, prepared.target_id, prepared.users
            ),
        ),
        stop_signal=_stop_signal(container),
    )


def _mapped(prepared: Prepared) -> list[t.Mount]:
    """All files have the ids in the pod that they have on the node's disk."""
    users = prepared.users
    if users is None:
        return list(prepared.mounts)
    replace = msgspec.structs.replace
    return [replace(mount, uid_mappings=users.uids, gid_mappings=users.gids) for mount in prepared.mounts]


def _annotations(pod: v1.Pod, container: AnyContainer, prepared: Prepared) -> dict[str, str]:
    """What a kubelet that starts anew must know to end the container well, even without the pod's spec."""
    made = dict(prepared.annotations) | {
        names.CONTAINER_HASH: container_hash(container),
        names.RESTART_COUNT: str(prepared.attempt),
        names.TERMINATION_MESSAGE_PATH: container.termination_message_path or TERMINATION_LOG,
        names.TERMINATION_MESSAGE_POLICY: container.termination_message_policy or "File",
        names.TERMINATION_LOG: prepared.termination_log,
        names.POD_TERMINATION_GRACE: str(grace_seconds(pod)),
    }
    if container.lifecycle and container.lifecycle.pre_stop:
        made["io.kubernetes.container.preStopHandler"] = msgspec.json.encode(container.lifecycle.pre_stop).decode()
    return made


def _stop_signal(container: AnyContainer) -> t.Signal:
    """The lifecycle's own stop signal (KEP-4960); the image's or SIGTERM by default."""
    given = container.lifecycle.stop_signal if container.lifecycle else None
    name = (given or "RUNTIME_DEFAULT").replace("+", "PLUS").replace("-", "MINUS")
    return t.Signal.__members__.get(name, t.Signal.RUNTIME_DEFAULT)
