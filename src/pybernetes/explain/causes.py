"""What a rule finds: a tree of causes, each in plain words, with what the cluster itself says and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Ref:
    """An object, as kubectl takes it: `deployment/web`."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that stands in the way. Causes that read the same are the same, whatever they were seen on.

    `seen` is what the cluster says, in its own words; `steps` are commands, or sentences where no command does it.
    """

    what: str
    subject: Ref | None = field(default=None, compare=False)
    seen: tuple[str, ...] = field(default=(), compare=False)
    steps: tuple[str, ...] = field(default=(), compare=False)
    because: tuple[Cause, ...] = ()

    def walk(self) -> Iterator[Cause]:
        """This cause and all below it, roots first."""
        for cause in self.because:
            yield from cause.walk()
        yield self


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to say about an object: its state in a line, and the causes if something is wrong.

    Without causes it is healthy, or `working`: on its way, with nothing in between. `notes` are likely mistakes that
    do no harm to its health.
    """

    subject: Ref
    facts: str
    causes: tuple[Cause, ...] = ()
    working: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        return bool(self.causes)

    def steps(self) -> list[str]:
        """What to do next, the deepest cause's steps first, none twice."""
        return list(dict.fromkeys(step for cause in self.causes for each in cause.walk() for step in each.steps))

    def roots(self) -> list[Cause]:
        """The causes that have no cause themselves."""
        return [each for cause in self.causes for each in cause.walk() if not each.because]

    def as_cause(self) -> Cause:
        """As the cause of something else's trouble."""
        return Cause(self.facts, self.subject, because=self.causes)


def merged(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Causes that read the same become one, which says how many there are."""
    groups: dict[Cause, list[Cause]] = {}
    for cause in causes:
        groups.setdefault(cause, []).append(cause)
    return tuple(_one(group) for group in groups.values())


def _one(group: list[Cause]) -> Cause:
    first = group[0]
    if len(group) == 1:
        return first
    return replace(first, what=f"{first.what} (and {len(group) - 1} more like it)")
