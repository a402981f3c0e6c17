"""The processes of a single-machine cluster, in the order in which they start."""

from __future__ import annotations

import importlib
from typing import Any

from pybernetes.cluster import docker, registry
from pybernetes.cluster.component import Component
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.node import Node
from pybernetes.cluster.profile import Profile


def components(profile: Profile) -> list[Component]:
    """Of the nodes that are not stopped; the runtime serves all nodes, and looks again which there are on SIGHUP."""
    if profile.settings.simulated:
        return [_component(name, profile) for name in ("apiserver", "simulator", "manager")]
    first, *others = [_agent(node) for node in profile.nodes if not node.stopped]
    return [
        _component("apiserver", profile),
        _component("runtime", profile, reloads=True),
        first,
        _component("manager", profile),
        *([_component("simulator", profile)] if profile.simulates else []),
        *others,
        _on_demand("registry", profile, registry.listeners(profile)),
        _on_demand("ingress", profile, (Listener(profile.ingress_socket),)),
        _on_demand("docker", profile, docker.listeners(profile)),
    ]


def _component(name: str, profile: Profile, *, reloads: bool = False) -> Component:
    main, module = _main(name, profile)
    return Component(name, main, module, reloads=reloads)


def _agent(node: Node) -> Component:
    main, module = _main("agent", node)
    return Component(node.named("agent"), main, module, ends_pods=True)


def _main(name: str, subject: Any) -> tuple[Any, str]:
    module = f"{__package__}.processes.{name}"
    return lambda: importlib.import_module(module).main(subject), module


def _on_demand(name: str, profile: Profile, listens: tuple[Listener, ...]) -> Component:
    """One that is imported and started by its first connection."""
    module = f"{__package__}.processes.{name}"
    return Component(name, lambda: importlib.import_module(module).main(profile, listens), listens=listens)
