"""Whether a device is one that a request asks for: selectors in CEL, taints, attributes that have to be equal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.devices.pools import Candidate, Judged

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_EFFECTS: Final = ("NoSchedule", "NoExecute")


class AllocationError(Exception):
    """Why a claim cannot be allocated on a node, in upstream's words."""


class SelectorError(AllocationError):
    """A selector that has no value: rather no node for the pod than one for which it was not asked."""


class _ByDomain(dict[str, dict[str, object]]):
    """Domains that a device has nothing of are empty rather than missing."""

    def get(self, key: str, default: Any = None) -> Any:
        return dict.get(self, key) or {}


def is_selected(candidate: Candidate, selectors: Sequence[resource.DeviceSelector], whose: str, judged: Judged) -> bool:
    """Whether all selectors hold, which is noted in `judged`. Raises SelectorError for one that has no value: `whose` it
    is, is told."""
    for number, selector in enumerate(selectors):
        source = selector.cel.expression if selector.cel else ""
        asked = (candidate.device.name, source)
        holds = judged.get(asked)
        if holds is None:
            holds = judged[asked] = _holds(source, candidate, f"{whose}: selector #{number}")
        if not holds:
            return False
    return True


def _holds(source: str, candidate: Candidate, whose: str) -> bool:
    from pybernetes.api.cel.devices import MAX_COST  # which only a cluster with devices loads
    from pybernetes.api.cel.errors import EvaluationError

    expression = _compiled(source)
    if expression.program is None:
        raise SelectorError(f"{whose}: CEL compile error: {expression.error}")
    try:
        value = expression.program.evaluate({"device": _variables(candidate)}, MAX_COST)
    except EvaluationError as error:
        raise SelectorError(f"{whose}: CEL runtime error: {error}") from error
    return value is True


@lru_cache(512)
def _compiled(source: str) -> Any:
    from pybernetes.api.cel.devices import compile_selector

    return compile_selector(source)


def _variables(candidate: Candidate) -> dict[str, object]:
    from pybernetes.api.cel.library.kubernetes import Amount

    device, driver = candidate.device, candidate.id[0]
    attributes, capacity = _ByDomain(), _ByDomain()
    for name, attribute in device.attributes.items():
        domain, _, identifier = name.rpartition("/")
        attributes.setdefault(domain or driver, {})[identifier] = _value(attribute)
    for name, amount in device.capacity.items():
        domain, _, identifier = name.rpartition("/")
        capacity.setdefault(domain or driver, {})[identifier] = Amount.parse(str(amount.value))
    return {
        "driver": driver,
        "allowMultipleAllocations": bool(device.allow_multiple_allocations),
        "attributes": attributes,
        "capacity": capacity,
    }


def _value(attribute: resource.DeviceAttribute) -> object:
    if attribute.version is not None:
        from pybernetes.api.cel.library.kubernetes import Version

        return Version.parse(attribute.version)
    return plain_value(attribute)


def plain_value(attribute: resource.DeviceAttribute) -> object:
    """The one value that is set; versions as text."""
    values = (attribute.string, attribute.int_, attribute.bool_, attribute.version)
    return next((value for value in values if value is not None), None)


def attribute_of(candidate: Candidate, name: str) -> object:
    """What equals only the same value of the same kind. A driver's own attributes may leave out its domain; None if the
    device has no such attribute."""
    attributes = candidate.device.attributes
    domain, _, identifier = name.partition("/")
    found = attributes.get(name) or (attributes.get(identifier) if domain == candidate.id[0] else None)
    if found is None:
        return None
    return found.version is not None, type(plain_value(found)), plain_value(found)


def is_tolerated(taints: Iterable[resource.DeviceTaint], tolerations: Sequence[resource.DeviceToleration]) -> bool:
    """Whether every taint that keeps pods away has a toleration."""
    return all(
        taint.effect not in _EFFECTS or any(_tolerates(toleration, taint) for toleration in tolerations)
        for taint in taints
    )


def _tolerates(toleration: resource.DeviceToleration, taint: resource.DeviceTaint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    return toleration.operator == "Exists" or (toleration.value or "") == (taint.value or "")
