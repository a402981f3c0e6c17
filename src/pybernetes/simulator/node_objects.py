"""Node objects of simulated nodes, and their leases. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from pybernetes import __version__
from pybernetes.api.time import format_micro_time, format_time
from pybernetes.api.tree import Tree
from pybernetes.simulator.names import METRICS_PATH, NODE_LABEL, NODE_RANGE, POD_RANGE, TAINT
from pybernetes.simulator.rules import NodeRule
from pybernetes.simulator.view import Node

KUBELET_VERSION: Final = "v1.36.0"
LEASES: Final = "kube-node-lease"
LEASE_SECONDS: Final = 40
CAPACITY: Final[Mapping[str, str]] = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}
HOSTS: Final = 1 << 16
"""How many nodes there are addresses for."""

_FIRST_POD: Final = IPv4Network(POD_RANGE)[0]
_FIRST_NODE: Final = IPv4Network(NODE_RANGE)[0]

_CONDITIONS: Final = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def new_node(name: str, number: int, rules: list[NodeRule], *, tainted: bool) -> Tree:
    """A node as the simulator registers it: what it says of itself follows in its status."""
    labels = {
        NODE_LABEL: "true",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "simulated",
    }
    zones = next((rule.zones for rule in rules if rule.zones), ())
    if zones:
        labels["topology.kubernetes.io/zone"] = zones[number % len(zones)]
    for rule in reversed(rules):
        labels |= rule.labels
    taints: list[Tree] = [{"key": TAINT, "effect": "NoSchedule"}] if tainted else []
    for key, value, effect in (taint for rule in rules for taint in rule.taints):
        taints.append({"key": key, "effect": effect} | ({"value": value} if value else {}))
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": own_annotations(name)},
        "spec": ranges(number) | ({"taints": taints} if taints else {}),
    }


def own_annotations(name: str) -> dict[str, str]:
    return {METRICS_PATH: f"/nodes/{name}/metrics/resource"}


def ranges(number: int) -> Tree:
    """The node's part of the pod range."""
    part = pod_range(number)
    return {"podCIDR": part, "podCIDRs": [part]}


def pod_range(number: int) -> str:
    return f"{_FIRST_POD + (number << 8)}/24"


def number_of(pod_cidr: str) -> int | None:
    """The number of the node that has this range; None if it is not one of ours."""
    network = IPv4Network(pod_cidr)
    if network.prefixlen != 24 or not network.subnet_of(IPv4Network(POD_RANGE)):
        return None
    return (int(network[0]) - int(_FIRST_POD)) >> 8


def node_address(number: int) -> str:
    return str(_FIRST_NODE + number + 1)


def pod_address(pod_cidr: str, index: int) -> str:
    return str(_first_of(pod_cidr) + 2 + index)


@lru_cache(4096)
def _first_of(pod_cidr: str) -> IPv4Address:
    return IPv4Network(pod_cidr)[0]


def status(
    node: Node, number: int, door: tuple[str, int], capacity: Mapping[str, str], problem: str, now: float
) -> Tree:
    """The node's status; `door` is where its kubelet answers, `problem` why it is not ready (empty: it is)."""
    name = node.metadata.name
    amounts = {**CAPACITY, **capacity}
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, node.metadata.uid or name)
    made: Tree = {
        "addresses": [
            {"type": "InternalIP", "address": node_address(number)},
            {"type": "Hostname", "address": name},
            {"type": "InternalDNS", "address": door[0]},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": door[1]}},
        "conditions": conditions(node, problem, now),
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": str(identity),
            "containerRuntimeVersion": f"simulated://{__version__}",
            "kernelVersion": "simulated",
            "kubeProxyVersion": "",
            "kubeletVersion": KUBELET_VERSION,
            "machineID": identity.hex,
            "operatingSystem": "linux",
            "osImage": "Pybernetes simulated node",
            "systemUUID": str(identity),
        },
    }
    if not node.status.capacity:
        made |= {"capacity": amounts, "allocatable": amounts}
    return made


def conditions(node: Node, problem: str, now: float) -> list[Tree]:
    """The kubelet's four; transition times are kept where nothing changed."""
    ready = ("Ready", "KubeletReady", "kubelet is posting ready status")
    wanted = [(kind, "False", reason, message) for kind, reason, message in _CONDITIONS]
    wanted.append(("Ready", "False", "KubeletNotReady", problem) if problem else (ready[0], "True", *ready[1:]))
    known = {condition.get("type"): condition for condition in node.status.conditions}
    moment = format_time(now)
    return [
        {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": moment,
            "lastTransitionTime": known[kind]["lastTransitionTime"]
            if known.get(kind, {}).get("status") == value
            else moment,
        }
        for kind, value, reason, message in wanted
    ]


def lease(node: Node, now: float) -> Tree:
    """The node owns its lease: it goes with it."""
    name = node.metadata.name
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": LEASES,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node.metadata.uid}],
        },
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": format_micro_time(now)},
    }
