"""What the kinds of dynamic resource allocation share: names of pools and attributes, selectors, settings (KEP-4381)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from pybernetes.api import field, names
from pybernetes.api.field import Path, go_json
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import duplicates
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.volumes import validate_driver_name

GROUP: Final = "resource.k8s.io"
SPEC: Final = Path("spec")
EFFECTS: Final = ("NoExecute", "NoSchedule", "None")
MAX_CONFIG: Final = 32
MAX_REQUESTS: Final = 32

Requests: TypeAlias = Mapping[str, frozenset[str]]
"""The requests of a claim, each with the alternatives that it lists."""

_MAX_SELECTORS, _MAX_EXPRESSION, _MAX_RAW, _MAX_POOL, _MAX_ID, _MAX_CONDITIONS = 32, 10240, 10240, 253, 32, 4


def each(items: Sequence[Any] | None, path: Path, most: int, check: Callable[[Any, Path], Errors]) -> Errors:
    """Every item of a list is legal; of a list that is too long nothing else is said."""
    items = items or ()
    if len(items) > most:
        yield field.too_many(path, len(items), most)
        return
    for index, item in enumerate(items):
        yield from check(item, path.index(index))


def each_once(
    items: Sequence[Any] | None, path: Path, most: int, check: Callable[[Any, Path], Errors], key: Callable[[Any], str]
) -> Errors:
    """As `each`, and no two items have the same key."""
    yield from each(items, path, most, check)
    if items and len(items) <= most:
        for index, taken in duplicates(key(item) for item in items):
            yield field.duplicate(path.index(index), taken)


def label(name: str, path: Path) -> Errors:
    yield from complain(path, name, names.dns1123_label(name))


def label_key(key: str, path: Path) -> Errors:
    yield from complain(path, key, names.qualified_name(key))


def label_value(value: str, path: Path) -> Errors:
    yield from complain(path, value, names.label_value(value))


def pool_name(name: str, path: Path) -> Errors:
    """Domains with slashes between them."""
    if not name:
        yield field.required(path)
        return
    if len(name) > _MAX_POOL:
        yield field.too_long(path, _MAX_POOL)
    for part in name.split("/"):
        yield from complain(path, part, names.dns1123_subdomain(part))


def qualified_name(name: str, path: Path) -> Errors:
    """An attribute or a capacity: an identifier, with or without the domain of who defines it.

    Upstream takes names of more parts as they are.
    """
    parts = name.split("/")
    if len(parts) > 2:
        return
    if len(parts) == 2:
        if parts[0]:
            yield from validate_driver_name(parts[0], path)
        else:
            yield field.invalid(path, "", "the domain must not be empty")
        if not parts[1]:
            yield field.invalid(path, "", "the name must not be empty")
            return
    if len(parts[-1]) > _MAX_ID:
        yield field.too_long(path, _MAX_ID)
    yield from complain(path, parts[-1], names.c_identifier(parts[-1]))


def fully_qualified_name(name: str, path: Path) -> Errors:
    yield from qualified_name(name, path)
    if "/" not in name:
        yield field.invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash")


def selectors(items: Sequence[Tree] | None, path: Path) -> Errors:
    yield from each(items, path, _MAX_SELECTORS, _selector)


def _selector(selector: Tree, path: Path) -> Errors:
    if selector.get("cel") is None:
        yield field.required(path.child("cel"))
        return
    source, at = selector["cel"].get("expression") or "", path.child("cel", "expression")
    if len(source.encode()) > _MAX_EXPRESSION:
        yield field.too_long(at, _MAX_EXPRESSION)
        return
    from pybernetes.api.cel.devices import MAX_COST, compile_selector

    compiled = compile_selector(source)
    if compiled.program is None:
        yield field.invalid(at, source, compiled.error)
    elif compiled.program.cost.most > MAX_COST:
        yield field.forbidden(at, "too complex, exceeds cost limit")


def configuration(config: Tree, path: Path) -> Errors:
    """Settings for a driver, which only it understands."""
    opaque = config.get("opaque")
    if opaque is None:
        yield field.required(path.child("opaque"))
        return
    yield from validate_driver_name(opaque.get("driver") or "", path.child("opaque", "driver"))
    yield from raw_object(opaque.get("parameters"), path.child("opaque", "parameters"))


def raw_object(value: Any, path: Path) -> Errors:
    """Data that nobody here looks into."""
    if value is None:
        yield field.required(path)
    elif len(go_json(value).encode()) > _MAX_RAW:
        yield field.too_long(path, _MAX_RAW)
    elif not isinstance(value, dict):
        yield field.invalid(path, "<value omitted>", "must be a valid JSON object")


def requests_of(devices: Tree) -> Requests:
    """What the requests of a claim's `spec.devices` are called."""
    return {
        request.get("name") or "": frozenset(one.get("name") or "" for one in request.get("firstAvailable") or ())
        for request in devices.get("requests") or ()
    }


def validate_references(requests: Requests, tree: Tree, path: Path) -> Errors:
    """`requests` of a constraint or of settings are requests of the claim."""
    check = partial(validate_reference, requests)
    yield from each_once(tree.get("requests"), path.child("requests"), MAX_REQUESTS, check, str)


def validate_reference(requests: Requests, name: str, path: Path) -> Errors:
    """The name of a request, or of one and of one of its alternatives with a slash between them."""
    parts = name.split("/")
    if len(parts) <= 2:
        for part in parts:
            yield from label(part, path)
        if parts[0] in requests and (len(parts) == 1 or parts[1] in requests[parts[0]]):
            return
    detail = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    yield field.invalid(path, name, detail)


def effect(value: str, path: Path) -> Errors:
    """What a taint does; empty is legal here."""
    if value and value not in EFFECTS:
        yield field.not_supported(path, value, EFFECTS)


def binding_conditions(device: Tree, path: Path) -> Errors:
    """What has to come true before a pod is bound (KEP-5007): neither list without the other, and nothing in both."""
    wanted, failed = device.get("bindingConditions"), device.get("bindingFailureConditions")
    for name, conditions in (("bindingConditions", wanted), ("bindingFailureConditions", failed)):
        yield from each(conditions, path.child(name), _MAX_CONDITIONS, label_key)
        for index, taken in duplicates(conditions or ()):
            yield field.duplicate(path.child(name).index(index), taken)
    at = path.child("bindingFailureConditions")
    for index, condition in enumerate(failed or ()):
        if condition in (wanted or ()):
            detail = "bindingFailureConditions must not overlap with bindingConditions"
            yield field.invalid(at.index(index), condition, detail)
    if failed and not wanted:
        detail = "bindingConditions are required to use bindingFailureConditions"
        yield field.invalid(path.child("bindingConditions"), wanted, detail)
    if wanted and not failed:
        yield field.invalid(at, failed, "bindingFailureConditions are required to use bindingConditions")
