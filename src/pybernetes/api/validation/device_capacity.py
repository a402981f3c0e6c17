"""How much of a device's capacity may be asked for, of devices that many share (KEP-5075)."""

from __future__ import annotations

from functools import partial
from typing import Final

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree
from pybernetes.api.validation.devices import each_once
from pybernetes.api.validation.kinds import Errors

_MAX_VALUES: Final = 10


def validate_request_policy(capacity: str, policy: Tree, path: Path) -> Errors:
    """A list of amounts or a range of them, with a default among them; `capacity` is all that there is."""
    values, value_range, default = policy.get("validValues"), policy.get("validRange"), policy.get("default")
    if values and value_range is not None:
        detail = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        yield field.forbidden(path, detail)
        return
    told = "validValues" if values else "validRange" if value_range is not None else ""
    if not told:
        return
    if default is None:
        yield field.required(path.child("default"), f"required when {told} is defined")
    elif values:
        yield from _validate_values(values, default, capacity, path.child(told))
    else:
        yield from _validate_range(value_range or {}, default, capacity, path.child(told))


def _amount(text: str) -> Quantity:
    return Quantity.parse(text)


def _validate_values(values: list[str], default: str, capacity: str, path: Path) -> Errors:
    for index in range(1, len(values)):
        if _amount(values[index - 1]) > _amount(values[index]):
            yield field.invalid(path.index(index), values[index], "values must be sorted in ascending order")
    key = lambda value: str(_amount(value).value)  # noqa: E731
    yield from each_once(values, path, _MAX_VALUES, partial(_option, capacity), key)
    # Of a list that is too long no value counts.
    if len(values) > _MAX_VALUES or all(_amount(value) != _amount(default) for value in values):
        yield field.invalid(path, default, "default value is not valid according to the requestPolicy")


def _option(capacity: str, value: str, path: Path) -> Errors:
    if _amount(value) > _amount(capacity):
        yield field.invalid(path, value, f"option is larger than capacity value: {capacity}")


def _validate_range(value_range: Tree, default: str, capacity: str, path: Path) -> Errors:
    least, most, step = value_range.get("min"), value_range.get("max"), value_range.get("step")
    if least is None:
        yield field.required(path.child("min"), "required when validRange is defined")
        return
    yield from _not_more(least, capacity, path.child("min"), "min is larger than capacity value", capacity)
    yield from _not_more(least, default, path.child("min"), "default is less than min", least, shown=default)
    if most is not None:
        at = path.child("max")
        yield from _not_more(least, most, at, "min is larger than max", most)
        yield from _not_more(most, capacity, at, "max is larger than capacity value", capacity)
        yield from _not_more(default, most, at, "default is more than max", most)
    if step is not None:
        yield from _validate_step(step, least, [default] if most is None else [default, most], capacity, path)


def _not_more(low: str, high: str, path: Path, detail: str, told: str, shown: str = "") -> Errors:
    if _amount(low) > _amount(high):
        yield field.invalid(path, shown or low, f"{detail}: {told}")


def _validate_step(step: str, least: str, values: list[str], capacity: str, path: Path) -> Errors:
    at, width, start = path.child("step"), _amount(step), _amount(least)
    first = start + width
    if first > _amount(capacity):
        yield field.invalid(at, step, f"one step {first} is larger than capacity value: {capacity}")
    for value in values:
        if width.value and (_amount(value).value - start.value) % width.value:
            detail = f"value is not a multiple of a given step ({step}) from ({least})"
            yield field.invalid(at, value, detail)
