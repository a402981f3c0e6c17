"""The processes of a single-machine cluster, in the order in which they start."""

from __future__ import annotations

import importlib

from pybernetes.cluster import registry
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.supervisor import Component


def components(profile: Profile) -> list[Component]:
    if profile.settings.simulated:
        return [_component(name, profile) for name in ("apiserver", "simulator", "manager")]
    return [
        _component("apiserver", profile),
        _component("runtime", profile),
        _component("agent", profile, ends_pods=True),
        _component("manager", profile),
        _on_demand("registry", profile, registry.listeners(profile)),
    ]


def _component(name: str, profile: Profile, *, ends_pods: bool = False) -> Component:
    module = f"{__package__}.processes.{name}"
    return Component(name, lambda: importlib.import_module(module).main(profile), module, ends_pods)


def _on_demand(name: str, profile: Profile, listens: tuple[Listener, ...]) -> Component:
    """One that is imported and started by its first connection."""
    module = f"{__package__}.processes.{name}"
    return Component(name, lambda: importlib.import_module(module).main(profile, listens), listens=listens)
