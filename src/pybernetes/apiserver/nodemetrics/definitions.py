"""What NodeMetrics and PodMetrics are made of, for OpenAPI and `kubectl explain`."""

from __future__ import annotations

from typing import Final

from pybernetes.api.schema import Schema, custom_resource_schema
from pybernetes.api.tree import Tree

_USAGE: Final[Tree] = {
    "type": "object",
    "description": "What is used, by resource: cpu in cores, averaged over the window; memory in bytes, its working set.",
    "additionalProperties": {"x-kubernetes-int-or-string": True},
}
_MEASURED: Final[Tree] = {
    "timestamp": {"type": "string", "format": "date-time", "description": "The end of the window."},
    "window": {
        "type": "string",
        "description": "How long was measured, as a duration: [timestamp - window, timestamp].",
    },
}
_CONTAINER: Final[Tree] = {
    "type": "object",
    "description": "What one container of a pod uses.",
    "required": ["name", "usage"],
    "properties": {"name": {"type": "string", "description": "The container's name in the pod."}, "usage": _USAGE},
}


def node_schema() -> Schema:
    return _kind("What a node uses, all that runs on it included.", "usage", _USAGE)


def pod_schema() -> Schema:
    containers = {"type": "array", "description": "Each container that runs.", "items": _CONTAINER}
    return _kind("What the containers of a pod use.", "containers", containers)


def _kind(words: str, name: str, own: Tree) -> Schema:
    return custom_resource_schema(
        {
            "type": "object",
            "description": words,
            "required": ["timestamp", "window", name],
            "properties": {**_MEASURED, name: own},
        }
    )
