"""What each type of service has, and what is dropped or kept when the type changes. Pure."""

from pybernetes.apiserver.context import Tree

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


def drop_unused(spec: Tree, old: Tree | None) -> None:
    """Drop what the new type has no use for, where the client only repeats what the old type had."""
    before = old or {}
    if spec.get("type") == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if old is not None and spec.get(name) == before.get(name):
                spec.pop(name, None)
        spec.pop("internalTrafficPolicy", None)
    if spec.get("type") not in WITH_NODE_PORTS and before.get("type") in WITH_NODE_PORTS:
        _drop_node_ports(spec, before)
    if spec.get("type") != "LoadBalancer":
        spec.pop("allocateLoadBalancerNodePorts", None)
        if old is not None and spec.get("loadBalancerClass") == before.get("loadBalancerClass"):
            spec.pop("loadBalancerClass", None)
    if not needs_health_port(spec) and spec.get("healthCheckNodePort") == before.get("healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)
    if spec.get("type") not in WITH_NODE_PORTS and not spec.get("externalIPs"):
        spec.pop("externalTrafficPolicy", None)


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
