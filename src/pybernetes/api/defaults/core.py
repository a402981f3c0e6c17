"""The core group's kinds apart from pods: services, claims and volumes, nodes, namespaces, limits."""

from __future__ import annotations

from base64 import b64encode

from pybernetes.api.defaults.amounts import milli
from pybernetes.api.defaults.table import Default, fields, set_absent, set_empty
from pybernetes.api.tree import Tree

_EXTERNAL = ("NodePort", "LoadBalancer")


def _service(service: Tree) -> None:
    spec = service["spec"]
    set_empty(spec, "sessionAffinity", "None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    set_empty(spec, "type", "ClusterIP")
    for port in spec.get("ports") or ():
        set_empty(port, "protocol", "TCP")
        set_empty(port, "targetPort", port["port"])
    _traffic_policies(spec)


def _traffic_policies(spec: Tree) -> None:
    if spec["type"] in _EXTERNAL or (spec["type"] == "ClusterIP" and spec.get("externalIPs")):
        set_empty(spec, "externalTrafficPolicy", "Cluster")
    if spec["type"] in (*_EXTERNAL, "ClusterIP"):
        set_absent(spec, "internalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        set_absent(spec, "allocateLoadBalancerNodePorts", True)


def _secret(secret: Tree) -> None:
    """`stringData` is a way to write `data`, and never told again."""
    set_empty(secret, "type", "Opaque")
    plain = secret.pop("stringData", None)
    if plain:
        encoded = {key: b64encode(text.encode()).decode() for key, text in plain.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def _load_balancer_ingress(ingress: Tree) -> None:
    if ingress.get("ip"):
        set_absent(ingress, "ipMode", "VIP")


def _replication_controller(controller: Tree) -> None:
    """Labels and selector come from the template where the controller has none."""
    template = controller["spec"].get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if labels:
        set_empty(controller["spec"], "selector", dict(labels))
        set_empty(controller["metadata"], "labels", dict(labels))


def _namespace(namespace: Tree) -> None:
    metadata = namespace["metadata"]
    if metadata.get("name"):
        labels = metadata.setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = metadata["name"]


def _node_spec(spec: Tree) -> None:
    """One field for one range, a later one for several: the first range is told in both."""
    one, several = spec.get("podCIDR"), spec.get("podCIDRs")
    if one and (not several or several[0] != one):
        spec["podCIDRs"] = [one]
    elif several and not one:
        spec["podCIDR"] = several[0]


def _node_status(status: Tree) -> None:
    _round_node(status)
    if status.get("capacity"):
        set_empty(status, "allocatable", dict(status["capacity"]))


def _limit_range_item(item: Tree) -> None:
    """A container's default limit is the maximum, its default request the default limit, else the minimum."""
    _round_limits(item)
    if item.get("type") != "Container":
        return
    default = dict(item.get("default") or {})
    request = dict(item.get("defaultRequest") or {})
    for name, amount in (item.get("max") or {}).items():
        default.setdefault(name, amount)
    for source in (default, item.get("min") or {}):
        for name, amount in source.items():
            request.setdefault(name, amount)
    if default:
        item["default"] = default
    if request:
        item["defaultRequest"] = request


def _claim_status(status: Tree) -> None:
    set_empty(status, "phase", "Pending")
    _round_capacity(status)


def _volume(volume: Tree) -> None:
    """Of a volume, not of its spec: what stands in a VolumeAttachment gets none of this."""
    set_empty(volume["spec"], "persistentVolumeReclaimPolicy", "Retain")
    set_absent(volume["spec"], "volumeMode", "Filesystem")


_round_node = milli("capacity", "allocatable")
_round_limits = milli("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_round_capacity = milli("capacity")

DEFAULTS: dict[str, Default] = {
    "core.v1.Service": _service,
    "core.v1.LoadBalancerIngress": _load_balancer_ingress,
    "core.v1.Secret": _secret,
    "core.v1.EndpointPort": fields(protocol="TCP"),
    "core.v1.ReplicationController": _replication_controller,
    "core.v1.Namespace": _namespace,
    "core.v1.NamespaceStatus": fields(phase="Active"),
    "core.v1.NodeSpec": _node_spec,
    "core.v1.NodeStatus": _node_status,
    "core.v1.LimitRangeItem": _limit_range_item,
    "core.v1.PersistentVolumeClaimSpec": fields(volumeMode="Filesystem"),
    "core.v1.PersistentVolumeClaimStatus": _claim_status,
    "core.v1.PersistentVolume": _volume,
    "core.v1.PersistentVolumeSpec": _round_capacity,
    "core.v1.PersistentVolumeStatus": fields(phase="Pending"),
}
