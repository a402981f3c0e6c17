"""What each type of service has, and what is dropped or kept when the type changes. Pure."""

from pybernetes.api.tree import Tree

WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


def needs_address(spec: Tree) -> bool:
    return spec.get("type") != "ExternalName"


def is_headless(spec: Tree) -> bool:
    return "None" in (spec.get("clusterIP"), *(spec.get("clusterIPs") or ())[:1])


def has_node_ports(spec: Tree) -> bool:
    """Whether every port gets a node port; a LoadBalancer may do without."""
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def needs_health_port(spec: Tree) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def needs_external_policy(spec: Tree) -> bool:
    """Whether the service is reached from outside, so that it matters where its traffic goes then."""
    return spec.get("type") in WITH_NODE_PORTS or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def sync_addresses(spec: Tree, old: Tree | None) -> None:
    """A client that only knows `clusterIP` sets `clusterIPs` by it."""
    before = old or {}
    first, was = spec.get("clusterIP", ""), before.get("clusterIP", "")
    repeated = spec.get("clusterIPs") == before.get("clusterIPs")
    if not spec.get("clusterIPs") and first:
        spec["clusterIPs"] = [first]
    elif old is not None and repeated and first != was:
        if first:
            spec["clusterIPs"] = [first]
        else:
            spec.pop("clusterIPs", None)


_OF_LOAD_BALANCERS = ("allocateLoadBalancerNodePorts", "loadBalancerClass")


def drop_unused(spec: Tree, old: Tree) -> None:
    """Drop what the type of before had and the new one has no use for, where the client only repeats it."""
    if needs_address(old) and not needs_address(spec):
        if spec.get("clusterIP", "") == old.get("clusterIP", ""):
            _drop_repeated(spec, old, ("clusterIP", "clusterIPs"))
        _drop_repeated(spec, old, ("ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"))
    if has_node_ports(old) and not has_node_ports(spec):
        _drop_node_ports(spec, old)
    if needs_health_port(old) and not needs_health_port(spec):
        _drop_repeated(spec, old, ("healthCheckNodePort",))
    if old.get("type") == "LoadBalancer" != spec.get("type"):
        _drop_repeated(spec, old, _OF_LOAD_BALANCERS)
    if needs_external_policy(old) and not needs_external_policy(spec):
        _drop_repeated(spec, old, ("externalTrafficPolicy",))


def _drop_repeated(spec: Tree, old: Tree, names: tuple[str, ...]) -> None:
    for name in names:
        if spec.get(name) == old.get(name):
            spec.pop(name, None)


def _drop_node_ports(spec: Tree, before: Tree) -> None:
    held = {port.get("nodePort") for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        if port.get("nodePort") in held:
            port.pop("nodePort", None)


def keep_allocated(spec: Tree, old: Tree) -> None:
    """A client that does not repeat what was allocated keeps it."""
    if needs_address(spec) and needs_address(old):
        _keep_addresses(spec, old)
    if has_node_ports(spec) and has_node_ports(old):
        held = {(port.get("protocol", "TCP"), port["port"]): port.get("nodePort") for port in old.get("ports") or ()}
        for port in spec.get("ports") or ():
            known = held.get((port.get("protocol", "TCP"), port["port"]))
            if not port.get("nodePort") and known:
                port["nodePort"] = known
    if needs_health_port(spec) and needs_health_port(old) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = old.get("healthCheckNodePort", 0)


def _keep_addresses(spec: Tree, old: Tree) -> None:
    for name in ("clusterIP", "clusterIPs"):
        if not spec.get(name) and old.get(name):
            spec[name] = old[name]
    if not spec.get("ipFamilyPolicy"):
        for name in ("ipFamilyPolicy", "ipFamilies"):
            if not spec.get(name) and old.get(name):
                spec[name] = old[name]
