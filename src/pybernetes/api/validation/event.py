"""Events, of both groups: the stored form is that of the core group."""

from __future__ import annotations

from typing import Any, Final

from pybernetes.api import field, names
from pybernetes.api.field import ROOT
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import IMMUTABLE
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain, validate_name
from pybernetes.api.validation.structures import Structures, shown_struct, structure

_LIMITS: Final = {"reportingInstance": 128, "action": 128, "reason": 128}
_MAX_NOTE: Final = 1024
_TYPES: Final = ("Normal", "Warning")
_STRUCTURES: Final[Structures] = {
    "Reference": structure("Kind:s Namespace:s Name:s UID=uid:s APIVersion=apiVersion:s ResourceVersion:s FieldPath:s"),
    "Source": structure("Component:s Host:s"),
}

# Name in the core group, and in messages -> name in the group of its own, what stands for an absent value.
_FIXED: Final[dict[str, tuple[str, Any]]] = {
    "involvedObject": ("regarding", {}), "reason": ("reason", ""), "message": ("note", ""),
    "source": ("deprecatedSource", {}), "firstTimestamp": ("deprecatedFirstTimestamp", None),
    "lastTimestamp": ("deprecatedLastTimestamp", None), "count": ("deprecatedCount", 0), "type": ("type", ""),
    "eventTime": ("eventTime", None), "action": ("action", ""), "related": ("related", None),
    "reportingController": ("reportingComponent", ""), "reportingInstance": ("reportingInstance", ""),
}  # fmt: skip
_UNSET: Final = ("firstTimestamp", "lastTimestamp", "count", "source")
_SHOWN: Final = {"involvedObject": "Reference", "related": "Reference", "source": "Source"}


def _value(event: Tree, name: str) -> Any:
    """A field of an event of either group, by its name in messages."""
    other, absent = _FIXED[name]
    found = event.get(name, event.get(other))
    return absent if found is None else found


def _create(event: Tree) -> Errors:
    yield from _validate(event, "reportingComponent")


def _validate(event: Tree, controller_name: str) -> Errors:
    """Events of the old kind, which have no `eventTime`, are hardly checked: they were never."""
    namespace, own = _value(event, "involvedObject").get("namespace") or "", event["metadata"].get("namespace", "")
    new = bool(event.get("eventTime"))
    if namespace:
        wrong = not new and namespace != own
    else:
        wrong = own not in (("default", "kube-system") if new else ("", "default"))
    if wrong:
        yield field.invalid(ROOT.child("involvedObject", "namespace"), namespace, "does not match event.namespace")
    if not new:
        return
    controller, path = _value(event, "reportingController"), ROOT.child(controller_name)
    if not controller:
        yield field.required(path)
    yield from complain(path, controller, names.qualified_name(controller))
    for name, limit in _LIMITS.items():
        if not _value(event, name):
            yield field.required(ROOT.child(name))
        elif len(_value(event, name)) > limit:
            yield field.invalid(ROOT.child(name), "", f"can have at most {limit} characters")
    if len(_value(event, "message")) > _MAX_NOTE:
        yield field.invalid(ROOT.child("message"), "", f"can have at most {_MAX_NOTE} characters")


def _create_new(event: Tree) -> Errors:
    """Events written through the group of their own have to be of the new kind."""
    yield from _validate(event, "reportingController")
    yield from validate_name(event["metadata"], names.dns1123_subdomain)
    yield from _validate_series(event)
    if not event.get("eventTime"):
        yield field.required(ROOT.child("eventTime"))
    if _value(event, "type") not in _TYPES:
        yield field.invalid(ROOT.child("type"), "", f"has invalid value: {_value(event, 'type')}")
    for name in _UNSET:
        if _value(event, name):
            yield field.invalid(ROOT.child(name), "", "needs to be unset")


def _validate_series(event: Tree) -> Errors:
    series = event.get("series")
    if series is None:
        return
    if (series.get("count") or 0) < 2:
        yield field.invalid(ROOT.child("series", "count"), "", "should be at least 2")
    if not series.get("lastObservedTime"):
        yield field.required(ROOT.child("series", "lastObservedTime"))


def _update_new(new: Tree, old: Tree) -> Errors:
    yield from _validate(new, "reportingController")
    if new.get("series") != old.get("series"):
        yield from _validate_series(new)
    for name in (*_FIXED, "reason"):  # upstream looks at the reason twice
        now = _value(new, name)
        if now != _value(old, name):
            shown = shown_struct(now, _SHOWN[name], _STRUCTURES) if name in _SHOWN else now
            yield field.invalid(ROOT.child(name), shown, IMMUTABLE)


RULES: RulesTable = {
    ("", "events"): Rules(_create, name=names.path_segment, update_looks=0, plain_finalizers=True, metadata_last=True),
    ("events.k8s.io", "events"): Rules(_create_new, _update_new, name=names.path_segment, update_is_whole=True),
}
