"""The parameters of operations: which a verb or a subresource takes, their types, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pybernetes.api.tree import Tree

_TYPES: Final = {
    "boolean": (
        "allowWatchBookmarks", "follow", "force", "ignoreStoreReadErrorWithClusterBreakingPotential",
        "insecureSkipTLSVerifyBackend", "orphanDependents", "previous", "sendInitialEvents", "stderr", "stdin", "stdout",
        "timestamps", "tty", "watch",
    ),
    "integer": (
        "gracePeriodSeconds", "limit", "limitBytes", "ports", "sinceSeconds", "tailLines", "timeoutSeconds",
    ),
}  # fmt: skip
_TYPE_OF: Final = {name: type_ for type_, names in _TYPES.items() for name in names}
"""All others are strings."""
LISTING: Final = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "shardSelector", "timeoutSeconds", "watch",
)  # fmt: skip
_WRITING: Final = ("dryRun", "fieldManager", "fieldValidation")
_DELETING: Final = (
    "dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents",
    "propagationPolicy",
)  # fmt: skip
_VERBS: Final = {
    "list": LISTING, "watch": LISTING, "create": _WRITING, "update": _WRITING, "patch": (*_WRITING, "force"),
    "delete": _DELETING,
    "deletecollection": tuple(sorted({*LISTING, *_DELETING} - {"allowWatchBookmarks", "watch"})),
}  # fmt: skip
_STREAMS: Final = ("container", "stderr", "stdin", "stdout", "tty")
_OPTIONS: Final = {
    "PodAttachOptions": _STREAMS, "PodExecOptions": ("command", *_STREAMS), "PodPortForwardOptions": ("ports",),
    "PodProxyOptions": ("path",), "ServiceProxyOptions": ("path",), "NodeProxyOptions": ("path",),
}  # fmt: skip
_LOG: Final = (
    "container", "follow", "insecureSkipTLSVerifyBackend", "limitBytes", "previous", "sinceSeconds", "stream",
    "tailLines", "timestamps",
)  # fmt: skip


def of_verb(verb: str, *, custom: bool) -> list[Tree]:
    """What an operation's query takes."""
    names = _VERBS.get(verb, ())
    if custom and verb in ("deletecollection", "get"):
        names = LISTING if verb == "deletecollection" else ("resourceVersion",)
    return [_query(name) for name in (*names, "pretty")]


def of_connection(kind: str) -> list[Tree]:
    """What the query takes of a subresource with options of this kind; there is nothing to be pretty about."""
    return [_query(name) for name in _OPTIONS.get(kind, ())]


def of_log() -> list[Tree]:
    return [_query(name) for name in (*_LOG, "pretty")]


def of_path(path: str, kind: str) -> list[Tree]:
    """What stands in the path itself; `kind` is the one that is named."""
    words = {
        "namespace": "object name and auth scope, such as for teams and projects",
        "name": f"name of the {kind}",
        "path": "path to the resource",
    }
    return [
        {
            "name": name, "in": "path", "required": True, "description": text,
            "schema": {"type": "string", "uniqueItems": True},
        }
        for name, text in words.items()
        if f"{{{name}}}" in path
    ]  # fmt: skip


def shared(operations: Tree, others: Iterable[Tree]) -> Tree:
    """A path's operations, with what all of them take said once, beside the `others`."""
    lists = [operation.get("parameters") or [] for operation in operations.values()]
    common = [one for one in lists[0] if all(one in each for each in lists[1:])] if lists else []
    made: Tree = {}
    for method, operation in operations.items():
        own = [one for one in operation.get("parameters") or [] if one not in common]
        rest = {key: value for key, value in operation.items() if key != "parameters"}
        made[method] = rest | ({"parameters": _sorted(own)} if own else {})
    told = _sorted([*others, *common])
    return made | ({"parameters": told} if told else {})


def _sorted(parameters: list[Tree]) -> list[Tree]:
    return sorted(parameters, key=lambda one: (one["name"], one["in"]))


def _query(name: str) -> Tree:
    return {"name": name, "in": "query", "schema": {"type": _TYPE_OF.get(name, "string"), "uniqueItems": True}}
