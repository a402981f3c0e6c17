"""Services: from the selector over pods and their ports to whoever listens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pybernetes.api.selectors import labels
from pybernetes.api.types import apps_v1, discovery_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import pods, policy, terminating
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.nearest import hint, nearest
from pybernetes.explain.snapshot import Snapshot, ref
from pybernetes.explain.terms import count, listed

NAME_LABEL = "kubernetes.io/service-name"
SOON_SECONDS = 5.0


def explain(snapshot: Snapshot, service: v1.Service) -> Finding:
    """A service: who answers for it, or why nobody does."""
    if service.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, service)
    spec = service.spec
    if spec.type == "ExternalName":
        return Finding(ref(service), f"is an alias of {spec.external_name}")
    ready = endpoints(snapshot, service)
    if not spec.selector:
        by_hand = () if ready else (_by_hand(snapshot, service),)
        return Finding(ref(service), f"has no selector; {count(len(ready), 'endpoint')} made by hand", by_hand)
    selected = selected_pods(snapshot, service)
    if not selected:
        cause = _selects_nothing(snapshot, service)
        return Finding(ref(service), "has no endpoints", (cause,))
    causes = [*_ports(snapshot, service, selected)] or [*_silent(snapshot, service, ready)]
    if not ready:
        causes += pods.causes(snapshot, selected)
        return Finding(
            ref(service),
            f"has no endpoints that are ready, {count(len(selected), 'pod')} selected",
            tuple(causes),
            True,
        )
    causes += _balancer(snapshot, service)
    facts = f"{_reach(service)} leads to {count(len(ready), 'ready pod')}: {listed(ready)}"
    return Finding(ref(service), facts, tuple(causes), notes=policy.notes(snapshot, selected))


def selected_pods(snapshot: Snapshot, service: v1.Service) -> list[v1.Pod]:
    """Pods that the selector picks and that have not ended."""
    wanted = labels.from_labels(service.spec.selector)
    found = snapshot.all(v1.Pod, service.metadata.namespace or "")
    return [
        pod for pod in found if wanted.matches(pod.metadata.labels) and pod.status.phase not in ("Succeeded", "Failed")
    ]


def endpoints(snapshot: Snapshot, service: v1.Service) -> list[str]:
    """Addresses of ready endpoints."""
    return [address for _, endpoint in _ready(snapshot, service) for address in endpoint.addresses]


def slices(snapshot: Snapshot, service: v1.Service) -> list[discovery_v1.EndpointSlice]:
    found = snapshot.all(discovery_v1.EndpointSlice, service.metadata.namespace or "")
    return [slice for slice in found if slice.metadata.labels.get(NAME_LABEL) == service.metadata.name]


def doors(snapshot: Snapshot, service: v1.Service) -> Iterator[tuple[str, int]]:
    """Where somebody ought to listen: TCP address and port of each ready endpoint."""
    for slice, endpoint in _ready(snapshot, service):
        for port in slice.ports:
            if port.port and (port.protocol or "TCP") == "TCP":
                yield endpoint.addresses[0], port.port


def _ready(
    snapshot: Snapshot, service: v1.Service
) -> Iterator[tuple[discovery_v1.EndpointSlice, discovery_v1.Endpoint]]:
    """Endpoints that are ready, each with its slice."""
    for slice in slices(snapshot, service):
        for endpoint in slice.endpoints:
            if endpoint.conditions is None or endpoint.conditions.ready is not False:
                yield slice, endpoint


def _selects_nothing(snapshot: Snapshot, service: v1.Service) -> Cause:
    """No pod has the labels; perhaps one has nearly these."""
    namespace, selector = service.metadata.namespace or "", service.spec.selector
    wanted = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    there = sorted({
        f"{key}={value}" for pod in snapshot.all(v1.Pod, namespace) for key, value in pod.metadata.labels.items()
    })  # fmt: skip
    step = f"kubectl get pods{snapshot.within(namespace)} --show-labels"
    for key, value in sorted(selector.items()):
        if f"{key}={value}" in there:
            continue
        same_key = [label for label in there if label.startswith(f"{key}=")]
        close = nearest(f"{key}={value}", there) or same_key[:3]
        if close:
            right, _, text = close[0].partition("=")
            steps = (
                snapshot.command(
                    "set selector",
                    ref(service),
                    f"'{','.join(f'{k}={v}' for k, v in {**{k: v for k, v in selector.items() if k != key}, right: text}.items())}'",
                ),
                step,
            )
            return Cause(f"its selector {wanted} matches no pod; pods have {' or '.join(close)}", steps=steps)
    if empty := _empty_owner(snapshot, namespace, selector):
        return Cause(
            f"its selector {wanted} matches no pod now: {empty} is scaled to 0",
            steps=(snapshot.command("scale", empty, "--replicas=1"),),
        )
    elsewhere = sorted({
        pod.metadata.namespace or "" for pod in snapshot.all(v1.Pod) if selector.items() <= pod.metadata.labels.items()
    })  # fmt: skip
    if elsewhere:
        return Cause(
            f"its selector {wanted} matches no pod of namespace {namespace}, but pods of {listed(elsewhere)}: a service and its pods are of one namespace",
            steps=(step,),
        )
    held = {key: value for key, value in selector.items() if f"{key}={value}" in there}
    lacking = [f"{key}={value}" for key, value in sorted(selector.items()) if key not in held]
    if held and lacking:
        shorter = ",".join(f"{key}={value}" for key, value in sorted(held.items()))
        what = f"its selector {wanted} matches no pod: pods with {shorter} have no label {listed(lacking)}"
        return Cause(what, steps=(snapshot.command("set selector", ref(service), f"'{shorter}'"), step))
    if there:
        return Cause(f"its selector {wanted} matches no pod", steps=(step,))
    return Cause(
        f"its selector {wanted} matches no pod: there are none in namespace {namespace}",
        steps=(f"kubectl get deployments{snapshot.within(namespace)}",),
    )


def _empty_owner(snapshot: Snapshot, namespace: str, selector: Mapping[str, str]) -> Ref | None:
    """What would make pods that the selector picks, had it not been told to make none."""
    owners: list[apps_v1.Deployment | apps_v1.StatefulSet] = [
        *snapshot.all(apps_v1.Deployment, namespace),
        *snapshot.all(apps_v1.StatefulSet, namespace),
    ]
    for owner in owners:
        template = owner.spec.template.metadata
        if owner.spec.replicas == 0 and template is not None and selector.items() <= template.labels.items():
            return ref(owner)
    return None


def _ports(snapshot: Snapshot, service: v1.Service, selected: list[v1.Pod]) -> Iterator[Cause]:
    """Target ports that the pods do not have, by name or by what they declare."""
    lasting = [
        [*pod.spec.containers, *(one for one in pod.spec.init_containers if one.restart_policy == "Always")]
        for pod in selected
    ]
    declared = {(p.name or "", p.container_port) for containers in lasting for c in containers for p in c.ports}
    names, numbers = {name for name, _ in declared if name}, {number for _, number in declared}
    for port in service.spec.ports:
        target = port.target_port if port.target_port is not None else port.port
        if isinstance(target, str):
            if target not in names:
                what = f"targetPort {target} is no port of its pods{hint(target, names) or _have(names, numbers)}"
                yield Cause(what, steps=(snapshot.command("edit", ref(service)),))
        elif numbers and target not in numbers and not _any_listening(snapshot, service, target):
            what = f"it sends to port {target}, and its pods declare {', '.join(map(str, sorted(numbers)))}"
            yield Cause(what, steps=(_aim(snapshot, service, port, min(numbers)),))


def _aim(snapshot: Snapshot, service: v1.Service, port: v1.ServicePort, target: int) -> str:
    """The command that has a port lead to another one of the pods."""
    path = f"/spec/ports/{service.spec.ports.index(port)}/targetPort"
    patch = f"""--type=json -p '[{{"op":"replace","path":"{path}","value":{target}}}]'"""
    return snapshot.command("patch", ref(service), patch)


def _any_listening(snapshot: Snapshot, service: v1.Service, port: int) -> bool:
    """Declared or not: whether somebody is known to listen there."""
    return any(snapshot.clues.listening.get(door, False) for door in doors(snapshot, service) if door[1] == port)


def _have(names: set[str], numbers: set[int]) -> str:
    if names:
        return f"; they have {', '.join(sorted(names))}"
    return (
        f"; they have no port names, but {', '.join(map(str, sorted(numbers)))}" if numbers else "; they declare none"
    )


def _silent(snapshot: Snapshot, service: v1.Service, ready: list[str]) -> Iterator[Cause]:
    """Ports at which every endpoint refused a connection."""
    found = list(doors(snapshot, service))
    for port in dict.fromkeys(port for _, port in found):
        answers = [
            snapshot.clues.listening[door] for door in found if door[1] == port and door in snapshot.clues.listening
        ]
        if answers and not any(answers):
            heard = _heard(snapshot, {address for address, _ in found})
            yield Cause(
                f"nobody listens on port {port} of its pods" + (f"; somebody does on {listed(heard)}" if heard else ""),
                seen=(f"connect {ready[0] if ready else ''}:{port}: connection refused",),
                steps=tuple(_listening_steps(snapshot, service, port, heard)),
            )


def _heard(snapshot: Snapshot, addresses: set[str]) -> list[str]:
    """Ports of these addresses where somebody is known to listen."""
    listening = snapshot.clues.listening
    ports = {port for (address, port), listens in listening.items() if listens and address in addresses}
    return [str(port) for port in sorted(ports)]


def _listening_steps(snapshot: Snapshot, service: v1.Service, silent: int, heard: list[str]) -> Iterator[str]:
    """Lead there where somebody listens, if that is one place; else look for it."""
    aimed = [port for port in service.spec.ports if silent in (port.target_port, port.port)]
    if len(heard) == 1 and len(aimed) == 1:
        yield _aim(snapshot, service, aimed[0], int(heard[0]))
        return
    inside = [ref(pod) for pod in selected_pods(snapshot, service)] or [Ref("pod", "POD", ref(service).namespace)]
    yield snapshot.command(
        "exec",
        inside[0],
        "-- netstat -tln    # where does it listen? at 127.0.0.1 nobody else reaches it: it has to be 0.0.0.0",
    )
    yield snapshot.command("edit", ref(service))


def _by_hand(snapshot: Snapshot, service: v1.Service) -> Cause:
    return Cause(
        "it has no selector, and nobody made endpoints for it",
        steps=(snapshot.command("set selector", ref(service), "app=..."),),
    )


def _balancer(snapshot: Snapshot, service: v1.Service) -> list[Cause]:
    status = service.status.load_balancer
    if service.spec.type != "LoadBalancer" or (status is not None and status.ingress):
        return []
    said = tuple(event.message or "" for event in snapshot.events(service, "SyncLoadBalancerFailed")[:1])
    if not said and snapshot.age(service.metadata.creation_timestamp) < SOON_SECONDS:
        return []
    if (wanted := service.spec.load_balancer_class) is not None:
        step = f"leave loadBalancerClass out, then it gets one of this cluster: {snapshot.command('delete', ref(service))}, and make it anew"
        return [Cause(f"it waits for the controller of loadBalancerClass {wanted}, which gives it no address", seen=said, steps=(step,))]  # fmt: skip
    return [Cause("it has no external address yet", seen=said, steps=("p8s logs manager",))]


def _reach(service: v1.Service) -> str:
    spec = service.spec
    ports = [f"{port.port}{f' (node port {port.node_port})' if port.node_port else ''}" for port in spec.ports]
    address = "it" if spec.cluster_ip in (None, "None") else spec.cluster_ip
    return f"{address} on port {listed(ports)}" if ports else str(address)
