"""Events, of both groups: the stored form is that of the core group."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_LIMITS = {"reason": 128, "action": 128}
_MAX_NOTE = 1024


def _create(event: Tree) -> Errors:
    """Events of the old kind are hardly checked: they were never."""
    involved = event.get("involvedObject") or event.get("regarding") or {}
    namespace = involved.get("namespace", "")
    own = event["metadata"].get("namespace", "")
    if (namespace and namespace != own) or (not namespace and own not in ("default", "kube-system")):
        yield field.invalid(ROOT.child("involvedObject", "namespace"), namespace, "does not match event.namespace")
    if event.get("eventTime"):
        yield from _validate_new_kind(event)


def _create_new(event: Tree) -> Errors:
    """Events written through the group of their own have to be of the new kind."""
    yield from _create(event)
    if not event.get("eventTime"):
        yield field.required(ROOT.child("eventTime"))


def _validate_new_kind(event: Tree) -> Errors:
    controller = event.get("reportingController") or event.get("reportingComponent") or ""
    path = ROOT.child("reportingController")
    if not controller:
        yield field.required(path)
    yield from complain(path, controller, names.qualified_name(controller))
    instance = event.get("reportingInstance", "")
    if not instance:
        yield field.required(ROOT.child("reportingInstance"))
    elif len(instance) > 128:
        yield field.invalid(ROOT.child("repotingIntance"), "", "can have at most 128 characters")
    for name, limit in _LIMITS.items():
        if not event.get(name):
            yield field.required(ROOT.child(name))
        elif len(event[name]) > limit:
            yield field.invalid(ROOT.child(name), "", f"can have at most {limit} characters")
    if event.get("type") not in ("Normal", "Warning"):
        yield field.invalid(ROOT.child("type"), "", f"has invalid value: {event.get('type', '')}")
    if len(event.get("message") or event.get("note") or "") > _MAX_NOTE:
        yield field.invalid(ROOT.child("message"), "", f"can have at most {_MAX_NOTE} characters")


# What is fixed of a new event -> the name that it has in the core group and in messages.
_FIXED = {
    "regarding": "involvedObject", "involvedObject": "involvedObject", "reason": "reason", "note": "message",
    "message": "message", "related": "related", "type": "type", "action": "action", "eventTime": "eventTime",
    "reportingController": "reportingController", "reportingComponent": "reportingController",
    "reportingInstance": "reportingInstance",
}  # fmt: skip


def _update_new(new: Tree, old: Tree) -> Errors:
    if not old.get("eventTime"):
        return
    for name, called in _FIXED.items():
        yield from immutable(new.get(name), old.get(name), ROOT.child(called))


RULES: RulesTable = {
    ("", "events"): Rules(_create, name=names.path_segment),
    ("events.k8s.io", "events"): Rules(_create_new, _update_new),
}
