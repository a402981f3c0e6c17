"""Requests and limits as cgroup settings, and the cgroup that a pod lives under. Pure."""

from collections.abc import Callable

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.podspec import AnyContainer, is_sidecar, uid_of
from pybernetes.kubelet.qos import oom_score_adj, qos_class

MIN_SHARES = 2
MAX_SHARES = 262144
SHARES_PER_CPU = 1024
PERIOD_MICROSECONDS = 100_000
MIN_QUOTA = 1000
HUGEPAGES = "hugepages-"


def cgroup_parent(pod: v1.Pod, root: str) -> str:
    """`<root>/kubepods[/burstable|/besteffort]/pod<uid>`, as cgroupfs knows it."""
    qos = qos_class(pod)
    tier = "" if qos == "Guaranteed" else f"/{qos.lower()}"
    return f"{root.rstrip('/')}/kubepods{tier}/pod{uid_of(pod)}"


def shares(milli_cpu: int) -> int:
    return min(MAX_SHARES, max(MIN_SHARES, milli_cpu * SHARES_PER_CPU // 1000))


def quota(milli_cpu: int) -> int:
    """Microseconds per period; 0 for no limit."""
    return max(MIN_QUOTA, milli_cpu * PERIOD_MICROSECONDS // 1000) if milli_cpu else 0


def container_resources(pod: v1.Pod, container: AnyContainer, memory_capacity: int) -> t.LinuxContainerResources:
    """What the runtime is to set on the container's cgroup. A limit without a request counts as the request."""
    resources = container.resources or v1.ResourceRequirements()
    cpu_limit = _limit_of(pod, resources, "cpu").milli_value
    cpu_request = _get(resources.requests, "cpu").milli_value if "cpu" in resources.requests else cpu_limit
    return t.LinuxContainerResources(
        cpu_period=PERIOD_MICROSECONDS,
        cpu_quota=quota(cpu_limit),
        cpu_shares=shares(cpu_request),
        memory_limit_in_bytes=_limit_of(pod, resources, "memory").value,
        oom_score_adj=oom_score_adj(pod, container, memory_capacity),
        hugepage_limits=_hugepages(resources.limits),
    )


def _limit_of(pod: v1.Pod, resources: v1.ResourceRequirements, name: str) -> Quantity:
    """The container's own limit, else that of the whole pod."""
    whole = pod.spec.resources.limits if pod.spec.resources else {}
    return _get(resources.limits, name) or _get(whole, name)


def pod_resources(pod: v1.Pod) -> t.LinuxContainerResources:
    """Sums over the containers for the pod's own cgroup; a limit only where every container has one."""
    cpu_request = pod_request(pod, "cpu").milli_value
    cpu_limit, memory_limit = pod_limit(pod, "cpu"), pod_limit(pod, "memory")
    return t.LinuxContainerResources(
        cpu_period=PERIOD_MICROSECONDS,
        cpu_quota=quota(cpu_limit.milli_value) if cpu_limit else 0,
        cpu_shares=shares(cpu_request),
        memory_limit_in_bytes=memory_limit.value if memory_limit else 0,
    )


def pod_request(pod: v1.Pod, resource: str) -> Quantity:
    """What the pod claims of the node: the larger of its running set and its init phase, with overhead."""
    if pod.spec.resources and resource in pod.spec.resources.requests:
        return Quantity.parse(pod.spec.resources.requests[resource]) + _get(pod.spec.overhead, resource)
    return _largest(pod, lambda container: container_request(container, resource)) + _get(pod.spec.overhead, resource)


def pod_totals(pod: v1.Pod) -> v1.ResourceRequirements:
    """All that the pod requests and is limited to, by resource, whether or not each container has a limit."""
    names = {name for one in _given(pod) for name in (*one.requests, *one.limits)} | pod.spec.overhead.keys()
    whole = pod.spec.resources.limits if pod.spec.resources else {}
    requests = {name: pod_request(pod, name) for name in names}
    limits = {name: _get(whole, name) or _largest(pod, lambda one: _own_limit(one, name)) for name in names}  # noqa: B023
    return v1.ResourceRequirements(requests=_told(requests), limits=_told(limits))


def _given(pod: v1.Pod) -> list[v1.ResourceRequirements]:
    containers = [one.resources for one in (*pod.spec.init_containers, *pod.spec.containers)]
    return [one for one in (pod.spec.resources, *containers) if one is not None]


def _own_limit(container: AnyContainer, resource: str) -> Quantity:
    return _get(container.resources.limits if container.resources else {}, resource)


def _told(amounts: dict[str, Quantity]) -> dict[str, str | int | float]:
    return {name: str(amount) for name, amount in sorted(amounts.items()) if amount}


def _largest(pod: v1.Pod, amount_of: Callable[[AnyContainer], Quantity]) -> Quantity:
    """What the pod takes at its greatest: its running set, or a moment of its init phase."""
    regular = sum((amount_of(container) for container in pod.spec.containers), Quantity())
    running, init = Quantity(), Quantity()
    for container in pod.spec.init_containers:
        amount = amount_of(container)
        if is_sidecar(container):
            running = running + amount
            init = max(init, running)
        else:
            init = max(init, running + amount)
    return max(regular + running, init)


def pod_limit(pod: v1.Pod, resource: str) -> Quantity | None:
    """The sum of limits, None if one container has none."""
    if pod.spec.resources and resource in pod.spec.resources.limits:
        return Quantity.parse(pod.spec.resources.limits[resource])
    containers = [*pod.spec.containers, *(c for c in pod.spec.init_containers if is_sidecar(c))]
    limits = [_get(c.resources.limits if c.resources else {}, resource) for c in containers]
    if not all(limits):
        return None
    init = [_get(c.resources.limits if c.resources else {}, resource) for c in pod.spec.init_containers]
    return max([sum(limits, Quantity()), *init])


def container_request(container: AnyContainer, resource: str) -> Quantity:
    """The request, else the limit, else nothing."""
    resources = container.resources or v1.ResourceRequirements()
    return _get(resources.requests if resource in resources.requests else resources.limits, resource)


def _get(given: dict[str, str | int | float], name: str) -> Quantity:
    return Quantity.parse(given.get(name, 0))


def _hugepages(limits: dict[str, str | int | float]) -> list[t.HugepageLimit]:
    """`hugepages-2Mi` is the kernel's page size 2MB."""
    return [
        t.HugepageLimit(page_size=name.removeprefix(HUGEPAGES).replace("i", "") + "B", limit=_get(limits, name).value)
        for name in limits
        if name.startswith(HUGEPAGES)
    ]
