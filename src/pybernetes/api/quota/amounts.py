"""How much a pod asks for: sums over its containers as the scheduler counts them."""

from collections.abc import Mapping
from typing import TypeAlias

from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree

Amounts: TypeAlias = dict[str, Quantity]
ZERO = Quantity()


def amounts(resources: Mapping[str, str] | None) -> Amounts:
    """A resource list as quantities."""
    return {name: Quantity.parse(value) for name, value in (resources or {}).items()}


def add(first: Amounts, second: Amounts) -> Amounts:
    """The sums; an amount of nothing takes on the other's way of writing."""
    return first | {
        name: Quantity(first[name].nanos + value.nanos, (first[name] or value).format) if name in first else value
        for name, value in second.items()
    }


def largest(first: Amounts, second: Amounts) -> Amounts:
    return first | {name: value for name, value in second.items() if name not in first or value > first[name]}


def pod_amounts(spec: Tree, field: str) -> Amounts:
    """What a pod holds at its peak (`field`: requests, limits): sidecars run beside all that start after them."""
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = add(total, _of(container, field))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _of(container, field)
        if container.get("restartPolicy") == "Always":
            sidecars = add(sidecars, own)
            own = sidecars
        else:
            own = add(own, sidecars)
        peak = largest(peak, own)
    total = largest(add(total, sidecars), peak)
    # Resources of the pod as a whole stand in place of the sums.
    total |= amounts((spec.get("resources") or {}).get(field))
    return add(total, amounts(spec.get("overhead"))) if total else total


def _of(container: Tree, field: str) -> Amounts:
    return amounts((container.get("resources") or {}).get(field))
