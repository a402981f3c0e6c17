"""Which plugins decide, in order, and what each score weighs: upstream's default profile."""

from __future__ import annotations

from pybernetes.scheduler.plugins import (
    Filter,
    GlobalPlugin,
    Score,
    dynamic_resources,
    image_locality,
    node_affinity,
    node_ports,
    node_resources,
    pod_affinity,
    spreading,
    taint_toleration,
    volume_binding,
    volume_limits,
    volume_restrictions,
)

FILTERS: tuple[Filter, ...] = (
    taint_toleration.unschedulable,
    node_affinity.name,
    taint_toleration.taints,
    node_affinity.affinity,
    node_ports.ports,
    node_resources.fit,
)
"""A node's first rejection is its reason."""

SCORES: tuple[tuple[Score, float], ...] = (
    (taint_toleration.preferred, 3.0),
    (node_affinity.preferred, 2.0),
    (node_resources.least_allocated, 1.0),
    (node_resources.balanced_allocation, 1.0),
    (image_locality.present, 1.0),
)

OWNER_SCORES: tuple[tuple[Score, float], ...] = ((spreading.siblings, 2.0),)
"""Those that look at the pod's owner too."""

GLOBAL_PLUGINS: tuple[tuple[GlobalPlugin, float], ...] = (
    (volume_restrictions.verdicts, 0.0),
    (volume_limits.verdicts, 0.0),
    (volume_binding.verdicts, 0.0),
    (dynamic_resources.verdicts, 0.0),
    (spreading.stated, 2.0),
    (pod_affinity.verdicts, 2.0),
)
