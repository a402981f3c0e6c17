"""What extends or steers the API server: webhooks, policies, API services, flow control."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import NONE, UNSET, age, at, go_label_selector, name


def webhook_configuration(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), len(obj.get("webhooks") or []), age(obj, now)]


def _param_kind(obj: Tree) -> str:
    kind = at(obj, "spec", "paramKind")
    return f"{kind['apiVersion']}/{kind['kind']}" if kind else UNSET


def validating_policy(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), len(at(obj, "spec", "validations", default=[])), _param_kind(obj), age(obj, now)]


def mutating_policy(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), len(at(obj, "spec", "mutations", default=[])), _param_kind(obj), age(obj, now)]


def policy_binding(obj: Tree, now: datetime) -> list[Any]:
    parameter = at(obj, "spec", "paramRef")
    shown = UNSET
    if parameter:
        namespace = parameter.get("namespace")
        if parameter.get("name"):
            shown = f"{namespace or '*'}/{parameter['name']}"
        elif parameter.get("selector") is not None:
            shown = go_label_selector(parameter["selector"])
    return [name(obj), at(obj, "spec", "policyName", default=""), shown, age(obj, now)]


def api_service(obj: Tree, now: datetime) -> list[Any]:
    service = at(obj, "spec", "service")
    available = next((one for one in at(obj, "status", "conditions", default=[]) if one["type"] == "Available"), None)
    word = "Unknown"
    if available is not None:
        reason = available.get("reason", "")
        word = "True" if available["status"] == "True" else f"{available['status']} ({reason})"
    return [name(obj), f"{service['namespace']}/{service['name']}" if service else "Local", word, age(obj, now)]


def flow_schema_order(obj: Tree) -> tuple[int, str]:
    """As they are tried."""
    return at(obj, "spec", "matchingPrecedence", default=0), name(obj)


def flow_schema(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    conditions = at(obj, "status", "conditions", default=[])
    dangling = next((one["status"] for one in conditions if one["type"] == "Dangling"), "?")
    return [
        name(obj),
        at(spec, "priorityLevelConfiguration", "name", default=""),
        spec.get("matchingPrecedence", 0),
        at(spec, "distinguisherMethod", "type", default=NONE),
        age(obj, now),
        dangling,
    ]


def priority_level(obj: Tree, now: datetime) -> list[Any]:
    limited = at(obj, "spec", "limited") or at(obj, "spec", "exempt") or {}
    queuing = at(limited, "limitResponse", "queuing", default={})
    return [
        name(obj),
        at(obj, "spec", "type", default=""),
        limited.get("nominalConcurrencyShares", NONE),
        queuing.get("queues", NONE),
        queuing.get("handSize", NONE),
        queuing.get("queueLengthLimit", NONE),
        age(obj, now),
    ]
