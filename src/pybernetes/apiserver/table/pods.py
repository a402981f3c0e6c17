"""Pods, nodes, and what is made of pod templates without being a workload."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import NONE, UNKNOWN, age, at, containers, labels_text, name, since

ROLE_PREFIX = "node-role.kubernetes.io/"


def pod(obj: Tree, now: datetime) -> list[Any]:
    ready, total, status, restarts = _pod_state(obj, now)
    spec, pod_status = obj.get("spec") or {}, obj.get("status") or {}
    addresses = pod_status.get("podIPs") or []
    return [
        name(obj),
        f"{ready}/{total}",
        status,
        restarts,
        age(obj, now),
        addresses[0]["ip"] if addresses and addresses[0].get("ip") else pod_status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        pod_status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, pod_status),
    ]


_ENDS = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}


def row_conditions(obj: Tree) -> list[Tree]:
    """That the pod has ended, and how."""
    phase = at(obj, "status", "phase", default="")
    if phase not in _ENDS:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _ENDS[phase]}]


def _readiness_gates(spec: Tree, status: Tree) -> str:
    gates = spec.get("readinessGates") or []
    if not gates:
        return NONE
    true = {one["type"] for one in status.get("conditions") or [] if one.get("status") == "True"}
    return f"{sum(gate['conditionType'] in true for gate in gates)}/{len(gates)}"


def _pod_state(obj: Tree, now: datetime) -> tuple[int, int, str, str]:
    """Ready and all containers, the one word that tells most, and the restarts."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    word = status.get("reason") or status.get("phase") or ""
    gated = any(
        one["type"] == "PodScheduled" and one.get("reason") == "SchedulingGated"
        for one in status.get("conditions") or []
    )
    if gated:
        word = "SchedulingGated"
    sidecars = {one["name"] for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}
    initial = _init_state(spec, status, sidecars)
    total = len(spec.get("containers") or []) + len(sidecars)
    listed = status.get("containerStatuses") or []
    if initial is not None:
        word, ready, restarted = initial[0], initial[1], initial[2]
    else:
        sidecar_statuses = [one for one in status.get("initContainerStatuses") or [] if one["name"] in sidecars]
        word, ready = _container_state(status, listed, word)
        ready += sum(bool(one.get("ready")) for one in sidecar_statuses)
        restarted = [*listed, *sidecar_statuses]
    if "deletionTimestamp" in obj["metadata"]:
        lost = status.get("reason") == "NodeLost"
        if lost:
            word = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            word = "Terminating"
    return ready, total, word, _restarts(restarted, now)


def _restarts(statuses: list[Tree], now: datetime) -> str:
    count = sum(one.get("restartCount", 0) for one in statuses)
    ended = [at(one, "lastState", "terminated", "finishedAt") for one in statuses]
    last = max((time for time in ended if time), default=None)
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)


def _init_state(spec: Tree, status: Tree, sidecars: set[str]) -> tuple[str, int, list[Tree]] | None:
    """The word for a pod whose init containers are not done, ready sidecars and statuses so far; None if they are."""
    statuses = status.get("initContainerStatuses") or []
    ready = 0
    for position, one in enumerate(statuses):
        state = one.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated and terminated.get("exitCode", 0) == 0:
            continue
        if one["name"] in sidecars and one.get("started"):
            ready += bool(one.get("ready"))
            continue
        if terminated:
            word = "Init:" + (terminated.get("reason") or _exit_word(terminated))
        elif waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            word = "Init:" + waiting["reason"]
        else:
            word = f"Init:{position}/{len(spec.get('initContainers') or [])}"
        return word, ready, statuses[: position + 1]
    return None


def _exit_word(terminated: Tree) -> str:
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _container_state(status: Tree, statuses: list[Tree], word: str) -> tuple[str, int]:
    """The word of the containers (the first one's wins) and how many are ready."""
    ready, running = 0, False
    for one in reversed(statuses):
        state = one.get("state") or {}
        waiting, terminated = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason"):
            word = waiting["reason"]
        elif terminated:
            word = terminated.get("reason") or _exit_word(terminated)
        elif one.get("ready") and state.get("running") is not None:
            running = True
            ready += 1
    if word == "Completed" and running:
        is_ready = any(one["type"] == "Ready" and one.get("status") == "True" for one in status.get("conditions") or [])
        word = "Running" if is_ready else "NotReady"
    return word, ready


def node(obj: Tree, now: datetime) -> list[Any]:
    info = at(obj, "status", "nodeInfo", default={})
    return [
        name(obj),
        _node_status(obj),
        _node_roles(obj["metadata"].get("labels") or {}),
        age(obj, now),
        info.get("kubeletVersion", ""),
        _node_address(obj, "InternalIP"),
        _node_address(obj, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        _kernel(info),
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _kernel(info: Tree) -> str:
    kernel = info.get("kernelVersion") or UNKNOWN
    return f"{kernel} ({info['architecture']})" if info.get("architecture") else kernel


def _node_status(obj: Tree) -> str:
    words = [
        one["type"] if one.get("status") == "True" else "Not" + one["type"]
        for one in at(obj, "status", "conditions", default=[])
        if one["type"] == "Ready"
    ] or ["Unknown"]
    if at(obj, "spec", "unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_roles(labels: Tree) -> str:
    roles = {key.removeprefix(ROLE_PREFIX) for key in labels if key.startswith(ROLE_PREFIX)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(roles - {""})) or NONE


def _node_address(obj: Tree, kind: str) -> str:
    addresses = at(obj, "status", "addresses", default=[])
    return next((one["address"] for one in addresses if one["type"] == kind), NONE)


def pod_template(obj: Tree, now: datetime) -> list[Any]:
    template = obj.get("template") or {}
    return [name(obj), *containers(template.get("spec")), labels_text(at(template, "metadata", "labels"))]
