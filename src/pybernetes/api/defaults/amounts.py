"""Lists of resource amounts (`limits`, `capacity`, ...): kept to thousandths, and summed up over a pod."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.caching import short_cache
from pybernetes.api.defaults.table import Default
from pybernetes.api.quantity import NANO, Quantity
from pybernetes.api.tree import Tree

_MILLI = NANO // 1000
_POD_LEVEL = ("cpu", "memory")


@short_cache(1024)
def _to_milli(text: str) -> str:
    return str(Quantity.parse(text).rounded_up(_MILLI))


def milli(*names: str) -> Default:
    """Round the amounts of these fields up to thousandths."""

    def default(tree: Tree) -> None:
        for name in names:
            amounts = tree.get(name) or {}
            for resource, text in amounts.items():
                # In canonical form only these suffixes stand for less than a thousandth.
                if text[-1] in "nu" or "e-" in text:
                    amounts[resource] = _to_milli(text)

    return default


def requests_from_limits(resources: Tree | None) -> None:
    """What is limited but not requested is requested as a whole."""
    if resources is None or not resources.get("limits"):
        return
    requests = resources.setdefault("requests", {})
    for name, amount in resources["limits"].items():
        requests.setdefault(name, amount)


def pod_level_requests(spec: Tree) -> None:
    """A pod with limits of its own requests what its containers do together, and where none does, its limits."""
    resources = spec.get("resources")
    if not resources or not resources.get("limits"):
        return
    requests = resources.get("requests") or {}
    for name in _POD_LEVEL:
        total = _total_requests(spec, name)
        if total is not None:
            requests.setdefault(name, str(total))
    for name, amount in resources["limits"].items():
        if name in _POD_LEVEL or name.startswith("hugepages-"):
            requests.setdefault(name, amount)
    if requests:
        resources["requests"] = requests


def _total_requests(spec: Tree, name: str) -> Quantity | None:
    """The most that runs at once: containers and sidecars together, or an init container beside earlier sidecars."""
    asked = [*_requests(spec.get("containers") or (), name)]
    sidecars = Quantity()
    peak = Quantity()
    for container in spec.get("initContainers") or ():
        own = next(iter(_requests([container], name)), None)
        if own is None:
            continue
        if container.get("restartPolicy") == "Always":
            sidecars = sidecars + own
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + own)
    if not asked and not peak:
        return None
    return max(peak, sum(asked, sidecars))


def _requests(containers: Iterable[Tree], name: str) -> Iterable[Quantity]:
    for container in containers:
        text = ((container.get("resources") or {}).get("requests") or {}).get(name)
        if text is not None:
            yield Quantity.parse(text)


DEFAULTS: dict[str, Default] = {
    "core.v1.ResourceRequirements": milli("limits", "requests"),
    "core.v1.VolumeResourceRequirements": milli("limits", "requests"),
    "core.v1.ResourceQuotaSpec": milli("hard"),
    "core.v1.ResourceQuotaStatus": milli("hard", "used"),
}
