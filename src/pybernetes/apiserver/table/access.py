"""Roles, bindings and certificates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import NONE, age, at, human_duration, name


def binding(obj: Tree, now: datetime) -> list[Any]:
    role = obj.get("roleRef") or {}
    subjects = obj.get("subjects") or []
    return [
        name(obj),
        f"{role.get('kind', '')}/{role.get('name', '')}",
        age(obj, now),
        ", ".join(one["name"] for one in subjects if one["kind"] == "User"),
        ", ".join(one["name"] for one in subjects if one["kind"] == "Group"),
        ", ".join(f"{one.get('namespace', '')}/{one['name']}" for one in subjects if one["kind"] == "ServiceAccount"),
    ]


def certificate_signing_request(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    return [
        name(obj),
        age(obj, now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        NONE if seconds is None else human_duration(seconds),
        _condition(obj),
    ]


def _condition(obj: Tree) -> str:
    types = {one["type"] for one in at(obj, "status", "conditions", default=[])}
    words = ["Denied" if "Denied" in types else "Approved"] if types & {"Approved", "Denied"} else []
    if not words:
        words.append("Pending")
    if "Failed" in types:
        words.append("Failed")
    if at(obj, "status", "certificate"):
        words.append("Issued")
    return ",".join(words)
