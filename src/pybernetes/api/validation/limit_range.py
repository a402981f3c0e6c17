"""Limit ranges."""

from __future__ import annotations

from collections.abc import Callable

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.quantity import Quantity
from pybernetes.api.resource_names import can_be_overcommitted
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.resources import (
    validate_container_resource_name,
    validate_resource_name,
)

_LIMITS = Path("spec").child("limits")
_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
_FIELDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_ONE = Quantity.parse("1")
_MAX_MILLI = (2**63 - 1) // 1000
"""Larger amounts upstream reckons with in whole units: their thousandths are no machine integers."""

# (field, other field, message): the first may not be greater than the second; the field that is blamed comes third.
_ORDERED: tuple[tuple[str, str, str, Callable[[str, str], str]], ...] = (
    ("min", "max", "min", lambda low, high: f"min value {low} is greater than max value {high}"),
    (
        "min", "defaultRequest", "defaultRequest",
        lambda low, high: f"min value {low} is greater than default request value {high}",
    ),
    (
        "defaultRequest", "max", "defaultRequest",
        lambda low, high: f"default request value {low} is greater than max value {high}",
    ),
    (
        "defaultRequest", "default", "defaultRequest",
        lambda low, high: f"default request value {low} is greater than default limit value {high}",
    ),
    ("min", "default", "default", lambda low, high: f"min value {low} is greater than default value {high}"),
    ("default", "max", "default", lambda low, high: f"default value {low} is greater than max value {high}"),
)  # fmt: skip
# Upstream shows the amount it is at, which is not always that of the field it blames.
_SHOWN_OTHER = {("min", "defaultRequest"), ("default", "max")}


def _create(limit_range: Tree) -> Errors:
    taken: set[str] = set()
    for index, item in enumerate(limit_range["spec"].get("limits") or ()):
        path = _LIMITS.index(index)
        kind = item["type"]
        yield from _validate_type(kind, path.child("type"))
        if kind in taken:
            yield field.duplicate(path.child("type"), kind)
        taken.add(kind)
        yield from _validate_item(item, path)


def _validate_type(kind: str, path: Path) -> Errors:
    complaints = names.qualified_name(kind)
    yield from complain(path, kind, complaints)
    if not complaints and "/" not in kind and kind not in _TYPES:
        yield field.invalid(path, kind, "must be a standard limit type or fully qualified")


def _validate_item(item: Tree, path: Path) -> Errors:
    kind = item["type"]
    if kind == "Pod":
        for name in ("default", "defaultRequest"):
            if item.get(name):
                yield field.forbidden(path.child(name), "may not be specified when `type` is 'Pod'")
    if kind == "PersistentVolumeClaim" and not any("storage" in (item.get(name) or {}) for name in ("min", "max")):
        detail = "either minimum or maximum storage value is required, but neither was provided"
        yield field.required(path.child("limits"), detail)
    skipped = ("default", "defaultRequest") if kind == "Pod" else ()
    check = validate_container_resource_name if kind in ("Pod", "Container") else validate_resource_name
    for name in _FIELDS:
        for resource in (item.get(name) or ()) if name not in skipped else ():
            yield from check(resource, path.child(name).key(resource))
    for resource in sorted({key for name in _FIELDS for key in item.get(name) or ()}):
        yield from _validate_order(item, resource, skipped, path)
        yield from _validate_ratio(item, resource, path)
        yield from _validate_equal(item, resource, path)


def _validate_order(item: Tree, resource: str, skipped: tuple[str, ...], path: Path) -> Errors:
    for low, high, blamed, message in _ORDERED:
        if low in skipped or high in skipped:
            continue
        least, most = (item.get(low) or {}).get(resource), (item.get(high) or {}).get(resource)
        if least is not None and most is not None and Quantity.parse(least) > Quantity.parse(most):
            shown = most if (low, high) in _SHOWN_OTHER else least
            yield field.invalid(path.child(blamed).key(resource), shown, message(least, most))


def _validate_equal(item: Tree, resource: str, path: Path) -> Errors:
    """What cannot be lent out twice is asked for as a whole."""
    if item["type"] == "Pod" or can_be_overcommitted(resource):
        return
    limit, request = (item.get("default") or {}).get(resource), (item.get("defaultRequest") or {}).get(resource)
    if limit is not None and request is not None and Quantity.parse(limit) != Quantity.parse(request):
        detail = f"default value {limit} must equal to defaultRequest value {request} in {resource}"
        yield field.invalid(path.child("defaultRequest").key(resource), request, detail)


def _validate_ratio(item: Tree, resource: str, path: Path) -> Errors:
    text = (item.get("maxLimitRequestRatio") or {}).get(resource)
    if text is None:
        return
    at = path.child("maxLimitRequestRatio").key(resource)
    ratio = Quantity.parse(text)
    if ratio < _ONE:
        yield field.invalid(at, text, f"ratio {text} is less than 1")
    least, most = (item.get("min") or {}).get(resource), (item.get("max") or {}).get(resource)
    if least is not None and most is not None:
        low, high = Quantity.parse(least), Quantity.parse(most)
        in_thousandths = max(ratio.value, low.value, high.value) < _MAX_MILLI
        least_amount = low.milli_value if in_thousandths else low.value
        if least_amount == 0:
            return
        limit = (high.milli_value if in_thousandths else high.value) / least_amount
        if (ratio.milli_value / 1000 if in_thousandths else ratio.value) > limit:
            yield field.invalid(at, text, f"ratio {text} is greater than max/min = {limit:f}")


RULES: RulesTable = {("", "limitranges"): Rules(_create, whole_looks=1, update_looks=0)}
