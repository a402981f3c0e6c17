"""Services, endpoints and everything else on the way of a packet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import NONE, UNSET, age, at, labels_text, name, selector_text

MAX_SHOWN = 3


def service(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    kind = spec.get("type", "")
    address = spec.get("clusterIP") or NONE
    return [
        name(obj),
        kind,
        address,
        _external(spec, obj.get("status") or {}),
        _service_ports(spec.get("ports") or []),
        age(obj, now),
        labels_text(spec.get("selector")),
    ]


def _external(spec: Tree, status: Tree) -> str:
    external = spec.get("externalIPs") or []
    match spec.get("type"):
        case "LoadBalancer":
            given = [
                one.get("ip") or one.get("hostname", "") for one in at(status, "loadBalancer", "ingress", default=[])
            ]
            return ",".join([*given, *external]) if given or external else "<pending>"
        case "ExternalName":
            found: str = spec.get("externalName", "")
            return found
        case _:
            return ",".join(external) or NONE


def _service_ports(ports: list[Tree]) -> str:
    if not ports:
        return NONE
    return ",".join(
        f"{one['port']}:{one['nodePort']}/{one.get('protocol', 'TCP')}"
        if one.get("nodePort")
        else f"{one['port']}/{one.get('protocol', 'TCP')}"
        for one in ports
    )


def endpoints(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), _limited(list(_addresses(obj)), "" if obj.get("subsets") else NONE), age(obj, now)]


def _addresses(obj: Tree) -> Iterator[str]:
    for subset in obj.get("subsets") or []:
        ports = subset.get("ports") or []
        for port in ports:
            for address in subset.get("addresses") or []:
                ip = address["ip"]
                yield f"[{ip}]:{port['port']}" if ":" in ip else f"{ip}:{port['port']}"
        if not ports:
            yield from (address["ip"] for address in subset.get("addresses") or [])


def _limited(texts: list[str], none: str) -> str:
    if not texts:
        return none
    more = f" + {len(texts) - MAX_SHOWN} more..." if len(texts) > MAX_SHOWN else ""
    return ",".join(texts[:MAX_SHOWN]) + more


def endpoint_slice(obj: Tree, now: datetime) -> list[Any]:
    ports = [str(one.get("port", one.get("name", "*"))) for one in obj.get("ports") or []]
    addresses = [address for one in obj.get("endpoints") or [] for address in one.get("addresses") or []]
    return [name(obj), obj.get("addressType", ""), _limited(ports, UNSET), _limited(addresses, UNSET), age(obj, now)]


def ingress(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    hosts = [one["host"] for one in spec.get("rules") or [] if one.get("host")]
    given = at(obj, "status", "loadBalancer", "ingress", default=[])
    return [
        name(obj),
        spec.get("ingressClassName") or NONE,
        _limited(hosts, "*"),
        ",".join(one.get("ip") or one.get("hostname", "") for one in given),
        "80, 443" if spec.get("tls") else "80",
        age(obj, now),
    ]


def ingress_class(obj: Tree, now: datetime) -> list[Any]:
    shown = NONE
    parameters = at(obj, "spec", "parameters")
    if parameters:
        group = parameters.get("apiGroup")
        kind = f"{parameters['kind']}.{group}" if group else parameters["kind"]
        shown = f"{kind}/{parameters['name']}"
    default = (obj["metadata"].get("annotations") or {}).get("ingressclass.kubernetes.io/is-default-class") == "true"
    return [
        name(obj) + (" (default)" if default else ""),
        at(obj, "spec", "controller", default=""),
        shown,
        age(obj, now),
    ]


def network_policy(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), selector_text(at(obj, "spec", "podSelector")), age(obj, now)]


def ip_address(obj: Tree, now: datetime) -> list[Any]:
    """Upstream's rows have an age that its columns do not name."""
    parent = at(obj, "spec", "parentRef", default={})
    resource = ".".join(part for part in (parent.get("resource"), parent.get("group")) if part)
    shown = "/".join(part for part in (resource, parent.get("namespace"), parent.get("name")) if part)
    return [name(obj), shown, age(obj, now)]


def service_cidr(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), ",".join(at(obj, "spec", "cidrs", default=[])), age(obj, now)]
