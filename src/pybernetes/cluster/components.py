"""The processes of a single-machine cluster, in the order in which they start."""

from __future__ import annotations

import importlib

from pybernetes.cluster.profile import Profile
from pybernetes.cluster.supervisor import Component


def components(profile: Profile) -> list[Component]:
    return [
        _component("apiserver", profile),
        _component("runtime", profile),
        _component("agent", profile, ends_pods=True),
        _component("manager", profile),
    ]


def _component(name: str, profile: Profile, *, ends_pods: bool = False) -> Component:
    module = f"{__package__}.processes.{name}"
    return Component(name, lambda: importlib.import_module(module).main(profile), module, ends_pods)
