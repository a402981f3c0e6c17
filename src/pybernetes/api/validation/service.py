"""Services. Which addresses and node ports are free is the allocators' concern."""

from __future__ import annotations

from typing import Any

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import validate_cidr, validate_endpoint_ip, validate_ip
from pybernetes.api.validation.common import duplicates, one_of, port_number, port_number_or_name
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA, complain, validate_labels

_SPEC = Path("spec")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_POLICIES = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_MAX_AFFINITY_SECONDS = 86400
_TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
_TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def _create(service: Tree) -> Errors:
    spec = service["spec"]
    kind, headless = spec.get("type", ""), spec.get("clusterIP") == "None"
    ports = spec.get("ports") or []
    annotations = service["metadata"].get("annotations") or {}
    yield from _validate_topology(annotations)
    if not ports and not headless and kind != "ExternalName":
        yield field.required(_SPEC.child("ports"))
    if headless and kind in ("NodePort", "LoadBalancer"):
        detail = f"may not be set to 'None' for {kind} services"
        yield field.invalid(_SPEC.child("clusterIPs").index(0), "None", detail)
    if kind == "ExternalName":
        yield from _validate_external_name(spec)
    yield from _validate_ports(ports)
    if selector := spec.get("selector"):
        yield from validate_labels(selector, _SPEC.child("selector"))
    yield from _validate_affinity(spec)
    yield from validate_addresses(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        yield from validate_endpoint_ip(address, _SPEC.child("externalIPs").index(index))
    yield from one_of(kind, _SPEC.child("type"), _TYPES)
    yield from _validate_distinct(ports, kind, _SPEC.child("ports"))
    yield from _validate_source_ranges(spec, annotations, kind)
    yield from _validate_load_balancer(spec, kind)
    yield from _validate_traffic(spec, kind)
    yield from _validate_load_balancer_status(service.get("status") or {}, kind)


def _validate_topology(annotations: dict[str, str]) -> Errors:
    """Two annotations that mean the same must say it, too."""
    mode, hints = annotations.get(_TOPOLOGY_MODE), annotations.get(_TOPOLOGY_HINTS)
    if mode is not None and hints is not None and mode != hints:
        detail = f"must match annotations[{_TOPOLOGY_HINTS}] when both are specified"
        yield field.invalid(METADATA.child("annotations").key(_TOPOLOGY_MODE), mode, detail)


def _validate_external_name(spec: Tree) -> Errors:
    if spec.get("clusterIP"):
        detail = "may not be set for ExternalName services"
        yield field.forbidden(_SPEC.child("clusterIPs"), detail)
    yield from _validate_no_families(spec)
    name = spec.get("externalName", "").removesuffix(".")
    if name:
        yield from complain(_SPEC.child("externalName"), name, names.dns1123_subdomain(name))
    else:
        yield field.required(_SPEC.child("externalName"))


def _validate_ports(ports: list[Tree]) -> Errors:
    path = _SPEC.child("ports")
    taken: set[str] = set()
    for index, port in enumerate(ports):
        yield from _validate_port(port, len(ports) > 1, taken, path.index(index))


def _validate_port(port: Tree, several: bool, taken: set[str], path: Path) -> Errors:
    name = port.get("name", "")
    if not name:
        if several:
            yield field.required(path.child("name"))
    else:
        yield from complain(path.child("name"), name, names.dns1123_label(name))
        if name in taken:
            yield field.duplicate(path.child("name"), name)
        taken.add(name)
    yield from port_number(port["port"], path.child("port"))
    yield from one_of(port.get("protocol"), path.child("protocol"), _PROTOCOLS)
    yield from port_number_or_name(port["targetPort"], path.child("targetPort"))
    protocol = port.get("appProtocol")
    if protocol is not None:
        yield from complain(path.child("appProtocol"), protocol, names.qualified_name(protocol))


def _validate_distinct(ports: list[Tree], kind: str, path: Path) -> Errors:
    """Node ports only where there are nodes' ports; no two ports with the same one, or number, of a protocol."""
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                detail = f"may not be used when `type` is '{kind}'"
                yield field.forbidden(path.index(index).child("nodePort"), detail)
    node_ports = [(port.get("protocol", ""), port["nodePort"]) if port.get("nodePort") else None for port in ports]
    for index, node in duplicates(node_ports):
        if node is not None:
            yield field.duplicate(path.index(index).child("nodePort"), node[1])
    for index, key in duplicates((port.get("protocol", ""), port["port"]) for port in ports):
        yield field.duplicate(path.index(index), _shown_port(*key))


def _shown_port(protocol: str, number: int) -> dict[str, Any]:
    """The key of a port in the form that the message has."""
    return {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number, "TargetPort": 0, "NodePort": 0}


def _validate_affinity(spec: Tree) -> Errors:
    affinity, config = spec.get("sessionAffinity", ""), spec.get("sessionAffinityConfig")
    yield from one_of(affinity, _SPEC.child("sessionAffinity"), ("ClientIP", "None"))
    path = _SPEC.child("sessionAffinityConfig")
    if affinity == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            yield field.required(path, "when session affinity type is ClientIP")
        elif not 0 < seconds <= _MAX_AFFINITY_SECONDS:
            detail = f"must be greater than 0 and less than {_MAX_AFFINITY_SECONDS}"
            yield field.invalid(path.child("clientIP", "timeoutSeconds"), seconds, detail)
    elif affinity == "None" and config is not None:
        yield field.forbidden(path, "must not be set when session affinity is None")


def _validate_source_ranges(spec: Tree, annotations: dict[str, str], kind: str) -> Errors:
    """Who may come through a load balancer: in the spec, or where an older annotation says it."""
    ranges, told = spec.get("loadBalancerSourceRanges") or [], annotations.get(_SOURCE_RANGES)
    # The path is upstream's, capital included.
    path = _SPEC.child("LoadBalancerSourceRanges") if ranges else METADATA.child("annotations").key(_SOURCE_RANGES)
    if (ranges or told is not None) and kind != "LoadBalancer":
        yield field.forbidden(path, _BALANCED)
    for index, one in enumerate(ranges):
        yield from validate_cidr(one.strip(), path.index(index))
    if not ranges and told is not None and told.strip():
        for one in told.split(","):
            yield from validate_cidr(one.strip(), path)


def _validate_load_balancer(spec: Tree, kind: str) -> Errors:
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        yield field.forbidden(_SPEC.child("allocateLoadBalancerNodePorts"), _BALANCED)
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        yield field.required(Path("allocateLoadBalancerNodePorts"))
    called = spec.get("loadBalancerClass")
    if called is not None and kind != "LoadBalancer":
        yield field.forbidden(_SPEC.child("loadBalancerClass"), _BALANCED)
    elif called is not None:
        yield from complain(_SPEC.child("loadBalancerClass"), called, names.qualified_name(called))


def validate_addresses(spec: Tree) -> Errors:
    """The addresses and families of a service and how they fit one another.

    This is what is looked at twice: before addresses are allocated, and with all the rest of the service.
    """
    if spec.get("type") == "ExternalName":
        return
    yield from _validate_first_address(spec)
    yield from _validate_families(spec)
    yield from _validate_cluster_ips(spec)


def _validate_first_address(spec: Tree) -> Errors:
    path, first, addresses = _SPEC.child("clusterIPs"), spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    if not first and addresses:
        yield field.invalid(path, addresses, "must be empty when `clusterIP` is not specified")
    elif first and not addresses:
        yield field.required(path)
    elif first and addresses[0] != first:
        yield field.invalid(path, addresses, "first value must match `clusterIP`")


def _validate_families(spec: Tree) -> Errors:
    path, families = _SPEC.child("ipFamilies"), spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            yield field.not_supported(path.index(index), family, _FAMILIES)
        if family in families[:index]:
            yield field.duplicate(path.index(index), family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        yield field.not_supported(_SPEC.child("ipFamilyPolicy"), policy, _FAMILY_POLICIES)


def _validate_cluster_ips(spec: Tree) -> Errors:
    path, addresses = _SPEC.child("clusterIPs"), spec.get("clusterIPs") or []
    wrong: list[field.FieldError] = []
    for index, address in enumerate(addresses):
        if index == 0 and address == "None":
            if len(addresses) > 1:
                wrong.append(field.invalid(path, addresses, "'None' must be the first and only value"))
        else:
            wrong += validate_ip(address, path.index(index))
    yield from wrong
    if len(addresses) > 2:
        yield field.invalid(path, addresses, "may only hold up to 2 values")
    if wrong or "None" in addresses:
        return  # what is no address has no family
    called = [_family(address) for address in addresses]
    if len(called) > 1 and (len(set(called)) < 2 or len(called) > 2):
        yield field.invalid(path, addresses, "may specify no more than one IP for each IP family")
    for index, (address, family) in enumerate(zip(addresses, spec.get("ipFamilies") or (), strict=False)):
        if family in _FAMILIES and family != called[index]:
            detail = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield field.invalid(path.index(index), address, detail)


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _validate_no_families(spec: Tree) -> Errors:
    for name in ("ipFamilies", "ipFamilyPolicy"):
        if spec.get(name):
            yield field.forbidden(_SPEC.child(name), "may not be set for ExternalName services")


def _validate_traffic(spec: Tree, kind: str) -> Errors:
    external = spec.get("externalTrafficPolicy", "")
    visible = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    path = _SPEC.child("externalTrafficPolicy")
    if not visible:
        if external:
            yield field.invalid(path, external, "may only be set for externally-accessible services")
    elif external or kind != "ClusterIP":
        yield from one_of(external, path, _POLICIES)
    internal = spec.get("internalTrafficPolicy")
    if internal is not None and internal not in _POLICIES:
        yield field.not_supported(_SPEC.child("internalTrafficPolicy"), internal, _POLICIES)
    elif internal is None and kind in ("LoadBalancer", "NodePort", "ClusterIP"):
        yield field.required(_SPEC.child("internalTrafficPolicy"))
    check = spec.get("healthCheckNodePort", 0)
    if check and not (kind == "LoadBalancer" and external == "Local"):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield field.invalid(_SPEC.child("healthCheckNodePort"), check, detail)
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        yield field.not_supported(_SPEC.child("trafficDistribution"), distribution, _DISTRIBUTIONS)


def _validate_load_balancer_status(status: Tree, kind: str) -> Errors:
    path = Path("status").child("loadBalancer", "ingress")
    entries = (status.get("loadBalancer") or {}).get("ingress") or []
    if entries and kind != "LoadBalancer":
        yield field.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, entry in enumerate(entries):
        at = path.index(index)
        if entry.get("ip"):
            yield from validate_ip(entry["ip"], at.child("ip"))
            if entry.get("ipMode") not in (None, "Proxy", "VIP"):
                yield field.not_supported(at.child("ipMode"), entry["ipMode"], ("Proxy", "VIP"))
        elif entry.get("ipMode") is not None:
            yield field.forbidden(at.child("ipMode"), "may not be specified when `ip` is not set")
        if entry.get("hostname"):
            host = entry["hostname"]
            yield from complain(at.child("hostname"), host, names.dns1123_subdomain(host))


def _update(new: Tree, old: Tree) -> Errors:
    """The first address and the class of a load balancer stay, as long as the type does."""
    spec, was = new["spec"], old["spec"]
    now = spec.get("clusterIPs") or []
    kept = bool(was.get("clusterIPs")) and "ExternalName" not in (spec.get("type"), was.get("type"))
    if kept and now[:1] != was["clusterIPs"][:1]:
        yield field.invalid(_SPEC.child("clusterIPs").index(0), now, "may not change once set")
    called, before = spec.get("loadBalancerClass"), was.get("loadBalancerClass")
    if spec.get("type") == was.get("type") == "LoadBalancer" and called != before:
        yield field.invalid(_SPEC.child("loadBalancerClass"), called, "may not change once set")
    yield from _create(new)


def _update_status(new: Tree, old: Tree) -> Errors:
    yield from _validate_load_balancer_status(new.get("status") or {}, new["spec"].get("type", ""))


RULES: RulesTable = {
    ("", "services"): Rules(
        _create, _update, names.dns1123_label, update_is_whole=True, subresources={"status": _update_status}
    ),
}
