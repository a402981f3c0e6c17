"""Roles beyond upstream's own policy: those that metrics-server brings along where it is installed."""

from typing import Final

from pybernetes.apiserver.context import Tree

_AGGREGATED: Final = {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("admin", "edit", "view")}

OWN_ROLES: Final[dict[str, list[Tree]]] = {
    "clusterroles": [
        {
            "metadata": {
                "name": "system:aggregated-metrics-reader",
                "labels": _AGGREGATED | {"kubernetes.io/bootstrapping": "rbac-defaults"},
                "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
            },
            "rules": [
                {"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}
            ],
        }
    ]
}
"""By plural, as `bootstrap_objects` gives its own."""
