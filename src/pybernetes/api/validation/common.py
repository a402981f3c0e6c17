"""Rules that many kinds share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain, validate_labels

MAX_INT32 = 2**31 - 1
NON_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"


def non_negative(tree: Tree, path: Path, *fields: str) -> Errors:
    """These numbers, where they are set, are not below zero."""
    for name in fields:
        value = tree.get(name)
        if value is not None and value < 0:
            yield field.invalid(path.child(name), value, NON_NEGATIVE)


def one_of(value: str | None, path: Path, supported: Sequence[str]) -> Errors:
    """A value of a list, which the message tells in the order given; an empty one is missing."""
    if not value:
        yield field.required(path)
    elif value not in supported:
        yield field.not_supported(path, value, supported)


def require(tree: Tree, path: Path, *fields: str) -> Errors:
    """These fields are not empty."""
    for name in fields:
        if not tree.get(name):
            yield field.required(path.child(name))


def immutable(new: Any, old: Any, path: Path, shown: Any = None, detail: str = IMMUTABLE) -> Errors:
    """A value that may not change; `shown` is what the message shows of the new one."""
    if new != old:
        yield field.invalid(path, new if shown is None else shown, detail)


def port_number(value: int, path: Path) -> Errors:
    for complaint in names.port_number(value):
        yield field.invalid(path, value, complaint)


def port_number_or_name(value: int | str, path: Path) -> Errors:
    if isinstance(value, int):
        yield from port_number(value, path)
    else:
        yield from complain(path, value, names.port_name(value))


def label_selector(selector: Tree | None, path: Path) -> Errors:
    """A LabelSelector; None is legal here."""
    if not selector:
        return
    labels = selector.get("matchLabels")
    if labels:
        yield from validate_labels(labels, path.child("matchLabels"))
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        yield from _selector_requirement(requirement, path.child("matchExpressions").index(index))


def _selector_requirement(requirement: Tree, path: Path) -> Errors:
    yield from validate_operator(requirement, path)
    yield from complain(path.child("key"), requirement["key"], names.qualified_name(requirement["key"]))
    for index, value in enumerate(requirement.get("values") or ()):
        yield from complain(path.child("values").index(index), value, names.label_value(value))


def validate_operator(requirement: Tree, path: Path, *, of_nodes: bool = False) -> Errors:
    """A selector's operator with as many values as it takes; those of nodes know Gt and Lt too."""
    operator, values = requirement["operator"], requirement.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            yield field.required(path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield field.forbidden(path.child("values"), detail)
    elif of_nodes and operator in ("Gt", "Lt"):
        if len(values) != 1:
            yield field.required(path.child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        yield field.invalid(path.child("operator"), operator, "not a valid selector operator")


def is_wrong_selector(selector: Tree | None) -> bool:
    """Whether no selector can be made of it."""
    return next(label_selector(selector, Path()), None) is not None


def is_empty_selector(selector: Tree | None) -> bool:
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def shown_selector(selector: Tree) -> Tree:
    """A selector in the order in which messages show its fields."""
    shown: Tree = {}
    if selector.get("matchLabels"):
        shown["matchLabels"] = shown_map(selector["matchLabels"])
    if selector.get("matchExpressions"):
        shown["matchExpressions"] = [
            {"key": one["key"], "operator": one["operator"]} | ({"values": one["values"]} if one.get("values") else {})
            for one in selector["matchExpressions"]
        ]
    return shown


def shown_map(values: dict[str, Any]) -> dict[str, Any]:
    """Maps are shown in the order of their keys."""
    return dict(sorted(values.items()))


def non_negative_quantity(text: str, path: Path) -> Errors:
    if text.startswith("-"):
        yield field.invalid(path, text, NON_NEGATIVE)


def positive_quantity(text: str, path: Path) -> Errors:
    if Quantity.parse(text).nanos <= 0:
        yield field.invalid(path, text, "must be greater than zero")


def duplicates(values: Iterable[Any]) -> Iterable[tuple[int, Any]]:
    """The places where a value stands for the second time."""
    seen: set[Any] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield index, value
        seen.add(value)


def positive_int_or_percent(value: int | str, path: Path) -> Errors:
    """A number not below zero, or a percentage."""
    if isinstance(value, int):
        if value < 0:
            yield field.invalid(path, value, NON_NEGATIVE)
    else:
        yield from complain(path, value, names.percent(value))


def percent_of(value: int | str | None) -> int | None:
    """The number before the sign, None for what is no percentage."""
    if isinstance(value, str) and not names.percent(value):
        return int(value[:-1])
    return None


def not_more_than_100_percent(value: int | str, path: Path) -> Errors:
    percent = percent_of(value)
    if percent is not None and percent > 100:
        yield field.invalid(path, value, "must not be greater than 100%")
