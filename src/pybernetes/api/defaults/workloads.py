"""The apps group."""

from __future__ import annotations

from typing import Final

from pybernetes.api.defaults.table import Default, set_absent, set_empty
from pybernetes.api.tree import Tree

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"


def _deployment_spec(spec: Tree) -> None:
    set_absent(spec, "replicas", 1)
    strategy = spec["strategy"]
    set_empty(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        set_absent(rolling, "maxUnavailable", "25%")
        set_absent(rolling, "maxSurge", "25%")
    set_absent(spec, "revisionHistoryLimit", 10)
    set_absent(spec, "progressDeadlineSeconds", 600)


def _daemon_set(daemon_set: Tree) -> None:
    """Upstream's own form counts templates in a field that all versions show as an annotation."""
    daemon_set["metadata"].setdefault("annotations", {}).setdefault(TEMPLATE_GENERATION, "0")


def _daemon_set_spec(spec: Tree) -> None:
    strategy = spec["updateStrategy"]
    set_empty(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        set_absent(rolling, "maxUnavailable", 1)
        set_absent(rolling, "maxSurge", 0)
    set_absent(spec, "revisionHistoryLimit", 10)


def _stateful_set_spec(spec: Tree) -> None:
    set_empty(spec, "podManagementPolicy", "OrderedReady")
    strategy = spec["updateStrategy"]
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        set_absent(strategy["rollingUpdate"], "partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    set_empty(retention, "whenDeleted", "Retain")
    set_empty(retention, "whenScaled", "Retain")
    set_absent(spec, "replicas", 1)
    set_absent(spec, "revisionHistoryLimit", 10)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.update({"kind": "PersistentVolumeClaim", "apiVersion": "v1"})


def _replica_set_spec(spec: Tree) -> None:
    set_absent(spec, "replicas", 1)


DEFAULTS: dict[str, Default] = {
    "apps.v1.DeploymentSpec": _deployment_spec,
    "apps.v1.DaemonSet": _daemon_set,
    "apps.v1.DaemonSetSpec": _daemon_set_spec,
    "apps.v1.StatefulSetSpec": _stateful_set_spec,
    "apps.v1.ReplicaSetSpec": _replica_set_spec,
}
