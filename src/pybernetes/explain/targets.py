"""What a user names: `deployment/web`, `svc web`, `pvc/data`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes.api.scheme import resource_for
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.explain.nearest import nearest
from pybernetes.explain.snapshot import GLOBAL, NAMESPACED


class TargetError(ValueError):
    """Nothing that could be explained; `step` is what to type instead."""

    def __init__(self, message: str, step: str) -> None:
        super().__init__(message)
        self.step = step


class UnknownKindError(TargetError):
    """No kind that has a rule; a cluster may have a custom resource of that name."""

    def __init__(self, kind: str, name: str, step: str) -> None:
        super().__init__(f"there is no kind {kind!r} that could be explained", step)
        self.kind, self.name = kind, name


@dataclass(frozen=True, slots=True)
class Target:
    """A kind and the name of one object of it."""

    kind: type[Object]
    name: str


def parse(words: Sequence[str]) -> Target:
    """`KIND/NAME` or `KIND NAME`, by plural, singular, kind or short name. Raises TargetError."""
    if len(words) == 1 and "/" in words[0]:
        kind, _, name = words[0].partition("/")
    elif len(words) == 2 and "/" not in words[0]:
        kind, name = words
    elif len(words) == 1 and words[0].lower() in kinds():
        raise TargetError(
            f"which {words[0]}? an object is KIND/NAME", f"p8s why {words[0]}/NAME; kubectl get {words[0]} -A"
        )
    elif len(words) == 1:
        raise TargetError(f"{words[0]!r} is a kind or a name, not both", f"p8s why deployment/{words[0]}")
    else:
        raise TargetError("one object at a time: KIND/NAME", "p8s why deployment/web, or p8s why for all that is wrong")
    known = kinds()
    found = known.get(kind.lower().partition(".")[0])
    if not name or "/" in name:
        raise TargetError(f"{words[0]!r} is not KIND/NAME", f"p8s why {kind}/{name.rpartition('/')[2] or 'NAME'}")
    if found is None:
        close = nearest(kind.lower(), known, 1)
        raise UnknownKindError(
            kind, name, f"p8s why {close[0]}/{name}" if close else "kubectl api-resources names the kinds"
        )
    return Target(found, name)


def kinds() -> dict[str, type[Object]]:
    """Every name by which a kind is known."""
    return {
        name: kind
        for kind in (*NAMESPACED, *GLOBAL)
        if kind is not v1.Event
        for resource in [resource_for(kind)]
        for name in (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names)
    }
