"""Simulated nodes of a running cluster: added and deleted through the API, where the simulator takes them over."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import count as counted
from typing import Any

from pybernetes.cluster import control, lifecycle, locks
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.profile import Profile, load
from pybernetes.cluster.readiness import Probe, says_ready
from pybernetes.simulator import node_objects
from pybernetes.simulator.names import NODE_LABEL
from pybernetes.simulator.rules import Subject, parse

PAUSE = 0.1
NODES = "/api/v1/nodes"


class SimulatedError(ClusterError):
    """The simulated nodes could not be added or deleted; the message says why."""


def add(name: str, count: int, *, wait_seconds: float = 60.0) -> list[str]:
    """Add simulated nodes to the profile `name`, which has to run, and wait until they are Ready; their names.

    Beside real nodes they are tainted, so that nothing lands there by surprise. Raises SimulatedError, NotRunningError.
    """
    with locks.of_profile(name):
        profile = load(name)
        if not control.is_running(profile):
            raise control.NotRunningError(profile)
        probe, known = Probe(profile), listed(Probe(profile))
        profile = simulating(profile, count)
        trees = list(made(profile, known, count))
        for tree in trees:
            status, body = probe.send("POST", NODES, tree)
            if status not in (201, 409):  # the simulator makes those of a first start, too
                raise SimulatedError(f"node {tree['metadata']['name']} was refused: {said(body)}")
        names = [tree["metadata"]["name"] for tree in trees]
        wait_ready(probe, names, time.monotonic() + wait_seconds)
    return names


def simulating(profile: Profile, count: int) -> Profile:
    """The profile with a simulator that runs; what is on its nodes cannot be reached, so nothing is let out there."""
    if profile.simulates:
        return profile
    from pybernetes.cluster import network

    changed = profile.changed({"simulated_nodes": count})
    changed.save()
    network.ensure(changed)
    lifecycle.prepare(changed)
    control.request(changed, "update")
    return changed


def listed(probe: Probe) -> dict[str, dict[str, Any]]:
    """The simulated nodes there are. Raises SimulatedError if the API server does not answer."""
    status, body = probe.get(f"{NODES}?labelSelector={NODE_LABEL}")
    if status != 200:
        raise SimulatedError(f"the API server does not list nodes: {said(body)}", "p8s status")
    return {node["metadata"]["name"]: node for node in json.loads(body)["items"]}


def said_of(node: dict[str, Any]) -> dict[str, Any]:
    """A node as `p8s node list` shows it."""
    addresses = node["status"].get("addresses") or []
    return {
        "name": node["metadata"]["name"],
        "status": "Ready" if says_ready(node) else "NotReady",
        "address": next((each["address"] for each in addresses if each["type"] == "InternalIP"), ""),
        "podCIDR": node["spec"].get("podCIDR", ""),
    }


def made(profile: Profile, known: dict[str, dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """New nodes, under the first names and numbers that are free."""
    ranges = [node["spec"].get("podCIDR", "") for node in known.values()]
    taken = {node_objects.number_of(each) for each in ranges if each}
    numbers = (number for number in counted() if number not in taken)
    names = (name for number in counted(1) if (name := f"sim-{number}") not in known)
    rules = parse(profile.settings.stages)
    for _, name, number in zip(range(count), names, numbers, strict=False):
        tainted = not profile.settings.simulated
        yield node_objects.new_node(name, number, rules.of_node(Subject(name, {})), tainted=tainted)


def wait_ready(probe: Probe, names: list[str], deadline: float) -> None:
    """Until all of them are. Raises SimulatedError."""
    for name in reversed(names):  # the last one is made last: the others are seldom asked for twice
        while not is_ready(probe, name):
            if time.monotonic() > deadline:
                raise SimulatedError(f"node {name} did not become Ready in time", "p8s logs simulator")
            time.sleep(PAUSE)


def is_ready(probe: Probe, name: str) -> bool:
    status, body = probe.get(f"{NODES}/{name}")
    return status == 200 and says_ready(json.loads(body))


def is_simulated(profile: Profile, node: str) -> bool:
    """Whether a running cluster has a simulated node of that name."""
    if not profile.simulates or not control.is_running(profile):
        return False
    status, body = Probe(profile).get(f"{NODES}/{node}")
    return status == 200 and NODE_LABEL in (json.loads(body)["metadata"].get("labels") or {})


def delete(profile: Profile, node: str) -> None:
    """Remove the Node object; its pods go as those of a node that has vanished.

    Raises SimulatedError, NotRunningError.
    """
    if not control.is_running(profile):
        raise control.NotRunningError(profile)
    status, body = Probe(profile).send("DELETE", f"{NODES}/{node}")
    if status == 404:
        raise SimulatedError(f"cluster {profile.name!r} has no node {node!r}", "p8s node list")
    if status != 200:
        raise SimulatedError(f"node {node} was not deleted: {said(body)}")


def said(body: bytes) -> str:
    """The message of a Status."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip() or "no answer"
