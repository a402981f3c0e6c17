"""The Node's status, made of facts. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from pybernetes.api.quantity import Quantity, canonical
from pybernetes.api.resource_names import is_extended
from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.deviceplugins.resources import Amount
from pybernetes.kubelet.node.machine import Machine

Amounts = dict[str, str | int | float]
KUBELET_VERSION = "v1.36.0"
MAX_IMAGES = 50
MAX_IMAGE_NAMES = 5


class Health(Struct, frozen=True):
    """What the conditions tell."""

    problem: str = ""
    """Why the node is not ready; empty if it is."""
    memory_pressure: bool = False
    disk_pressure: bool = False
    pid_pressure: bool = False


class NodeFacts(Struct, frozen=True):
    """What a status is made of."""

    name: str
    addresses: Sequence[str]
    machine: Machine
    runtime: t.VersionResponse
    status: t.StatusResponse
    images: Sequence[t.Image]
    port: int
    max_pods: int
    reserved: Mapping[str, Quantity] = field(default_factory=dict)
    """Resource -> what pods may not have (system, kube, eviction threshold)."""
    devices: Mapping[str, Amount] = field(default_factory=dict)
    """What device plugins announce."""
    removed: frozenset[str] = frozenset()
    """Resources that device plugins announced once."""


def capacity(machine: Machine, max_pods: int) -> dict[str, str | int | float]:
    """In the form in which the server keeps amounts, so that they compare equal to what it has."""
    found: dict[str, str | int | float] = {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{machine.disk_bytes // 1024}Ki",
        "pods": str(max_pods),
    }
    for size, amount in machine.hugepages.items():
        found[f"hugepages-{size}"] = str(amount)
    return {name: canonical(amount) for name, amount in found.items()}


def allocatable(
    given: Mapping[str, str | int | float], reserved: Mapping[str, Quantity]
) -> dict[str, str | int | float]:
    """Capacity without what is reserved."""
    return {name: str(Quantity.parse(amount) - reserved.get(name, Quantity())) for name, amount in given.items()}


def node_status(
    facts: NodeFacts, health: Health, known: v1.NodeStatus, now: datetime, in_use: Sequence[str] = ()
) -> v1.NodeStatus:
    """The whole status; transition times, conditions of others and their extended resources are kept from `known`.
    `in_use` are volumes that may not be detached."""
    machine = facts.machine
    others = {name: amount for name, amount in _extended(known).items() if name not in facts.removed}
    whole = capacity(machine, facts.max_pods) | others
    devices: Amounts = {name: str(amount.capacity) for name, amount in facts.devices.items()}
    free: Amounts = {name: str(amount.allocatable) for name, amount in facts.devices.items()}
    return v1.NodeStatus(
        addresses=[
            *(v1.NodeAddress(type="InternalIP", address=address) for address in facts.addresses),
            v1.NodeAddress(type="Hostname", address=facts.name),
        ],
        capacity=whole | devices,
        allocatable=allocatable(whole, facts.reserved) | free,
        conditions=_conditions(health, known, now),
        daemon_endpoints=v1.NodeDaemonEndpoints(kubelet_endpoint=v1.DaemonEndpoint(port=facts.port)),
        images=_images(facts.images),
        node_info=v1.NodeSystemInfo(
            architecture=machine.architecture,
            boot_id=machine.boot_id,
            container_runtime_version=f"{facts.runtime.runtime_name}://{facts.runtime.runtime_version}",
            kernel_version=machine.kernel,
            kube_proxy_version="",
            kubelet_version=KUBELET_VERSION,
            machine_id=machine.machine_id,
            operating_system="linux",
            os_image=machine.os_image,
            system_uuid=machine.system_uuid,
            swap=v1.NodeSwapStatus(capacity=machine.swap_bytes) if machine.swap_bytes else None,
        ),
        runtime_handlers=[
            v1.NodeRuntimeHandler(
                name=handler.name,
                features=v1.NodeRuntimeHandlerFeatures(
                    recursive_read_only_mounts=bool(handler.features and handler.features.recursive_read_only_mounts),
                    user_namespaces=bool(handler.features and handler.features.user_namespaces),
                ),
            )
            for handler in facts.status.runtime_handlers
        ],
        features=v1.NodeFeatures(
            supplemental_groups_policy=bool(facts.status.features and facts.status.features.supplemental_groups_policy)
        ),
        volumes_attached=known.volumes_attached,
        volumes_in_use=list(in_use),
    )


def _extended(known: v1.NodeStatus) -> dict[str, str | int | float]:
    """What others say that the node has: who patches the capacity need not know what of it is allocatable."""
    return {name: amount for name, amount in known.capacity.items() if is_extended(name)}


def _conditions(health: Health, known: v1.NodeStatus, now: datetime) -> list[v1.NodeCondition]:
    made = [
        _pressure("MemoryPressure", health.memory_pressure, "InsufficientMemory", "SufficientMemory"),
        _pressure("DiskPressure", health.disk_pressure, "DiskPressure", "NoDiskPressure"),
        _pressure("PIDPressure", health.pid_pressure, "InsufficientPID", "SufficientPID"),
        _ready(health),
    ]
    before = {condition.type: condition for condition in known.conditions}
    stamped = [_stamped(condition, before.get(condition.type), format_time(now)) for condition in made]
    own = {condition.type for condition in made}
    return [*(c for c in known.conditions if c.type not in own), *stamped]


_MESSAGES = {
    "InsufficientMemory": "kubelet has insufficient memory available",
    "SufficientMemory": "kubelet has sufficient memory available",
    "DiskPressure": "kubelet has disk pressure",
    "NoDiskPressure": "kubelet has no disk pressure",
    "InsufficientPID": "kubelet has insufficient PID available",
    "SufficientPID": "kubelet has sufficient PID available",
}


def _pressure(type_: str, holds: bool, bad: str, good: str) -> v1.NodeCondition:
    word = bad if holds else good
    return v1.NodeCondition(
        type=type_, status="True" if holds else "False", reason=f"KubeletHas{word}", message=_MESSAGES[word]
    )


def _ready(health: Health) -> v1.NodeCondition:
    if health.problem:
        return v1.NodeCondition(type="Ready", status="False", reason="KubeletNotReady", message=health.problem)
    message = "kubelet is posting ready status"
    return v1.NodeCondition(type="Ready", status="True", reason="KubeletReady", message=message)


def _stamped(made: v1.NodeCondition, known: v1.NodeCondition | None, now: str) -> v1.NodeCondition:
    changed = known is None or known.status != made.status
    return v1.NodeCondition(
        type=made.type,
        status=made.status,
        reason=made.reason,
        message=made.message,
        last_heartbeat_time=now,
        last_transition_time=now if changed or known is None else known.last_transition_time,
    )


def _images(images: Sequence[t.Image]) -> list[v1.ContainerImage]:
    """The largest ones, by all their names."""
    largest = sorted(images, key=lambda image: -image.size)[:MAX_IMAGES]
    return [
        v1.ContainerImage(names=[*image.repo_digests, *image.repo_tags][:MAX_IMAGE_NAMES], size_bytes=image.size)
        for image in largest
        if image.repo_digests or image.repo_tags
    ]


def runtime_problem(status: t.StatusResponse) -> str:
    """Why the runtime cannot run pods now, in upstream's words; empty if it can."""
    given = {c.type: c for c in (status.status.conditions if status.status else [])}
    runtime, network = given.get("RuntimeReady"), given.get("NetworkReady")
    if runtime is not None and not runtime.status:
        return f"container runtime not ready: RuntimeReady={runtime.status} reason:{runtime.reason} message:{runtime.message}"
    if network is not None and not network.status:
        return (
            f"container runtime network not ready: NetworkReady=false reason:{network.reason} message:{network.message}"
        )
    return ""
