"""Roles beyond upstream's own policy: what metrics-server brings along where it is installed, and the simulator's."""

from typing import Final

from pybernetes.api.tree import Tree

_AGGREGATED: Final = {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("admin", "edit", "view")}

_OWN: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AUTO_UPDATE: Final = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_SIMULATOR: Final = "system:node-simulator"


def _rule(group: str, resources: tuple[str, ...], verbs: str) -> Tree:
    return {"apiGroups": [group], "resources": list(resources), "verbs": verbs.split()}


OWN_ROLES: Final[dict[str, list[Tree]]] = {
    "clusterroles": [
        {
            "metadata": {
                "name": "system:aggregated-metrics-reader",
                "labels": _AGGREGATED | _OWN,
                "annotations": _AUTO_UPDATE,
            },
            "rules": [
                {"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}
            ],
        },
        {
            "metadata": {"name": _SIMULATOR, "labels": _OWN, "annotations": _AUTO_UPDATE},
            "rules": [
                _rule("", ("nodes",), "get list watch create patch"),
                _rule("", ("pods",), "get list watch delete"),
                _rule("", ("nodes/status", "pods/status"), "patch"),
                _rule("", ("events",), "create patch"),
                _rule("coordination.k8s.io", ("leases",), "get create patch"),
            ],
        },
    ],
    "clusterrolebindings": [
        {
            "metadata": {"name": _SIMULATOR, "labels": _OWN, "annotations": _AUTO_UPDATE},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _SIMULATOR},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": _SIMULATOR}],
        }
    ],
}
"""By plural, as `bootstrap_objects` gives its own."""
