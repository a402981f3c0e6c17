"""How many seats each priority level has (KEP 1040, "Priority Levels and Borrowing"); pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from pybernetes.api.tree import Tree

MAX_SEATS = 10
"""No request is wider, whatever the level."""
SMOOTHING = 0.977
"""How much of the smoothed demand stays from one adjustment to the next."""


class Shape(Struct, frozen=True):
    """What a PriorityLevelConfiguration asks for. Without queues what finds no seat is turned away."""

    exempt: bool = False
    shares: int = 30
    lendable: int = 0
    """Per cent of the nominal seats."""
    borrowing: int | None = None
    """Per cent of the nominal seats; None for as many as there are."""
    queues: int = 0
    hand: int = 0
    queue_length: int = 0

    @classmethod
    def of(cls, spec: Tree) -> Shape:
        if spec.get("type") == "Exempt":
            exempt = spec.get("exempt") or {}
            return cls(True, exempt.get("nominalConcurrencyShares") or 0, exempt.get("lendablePercent") or 0)
        limited = spec.get("limited") or {}
        shares = limited.get("nominalConcurrencyShares")
        made = cls(
            shares=30 if shares is None else shares,
            lendable=limited.get("lendablePercent") or 0,
            borrowing=limited.get("borrowingLimitPercent"),
        )
        response = limited.get("limitResponse") or {}
        if response.get("type") != "Queue":
            return made
        queuing = response.get("queuing") or {}
        queues = queuing.get("queues") or 64
        return replace(
            made,
            queues=queues,
            hand=min(queuing.get("handSize") or 8, queues),
            queue_length=queuing.get("queueLengthLimit") or 50,
        )


class Limits(Struct, frozen=True):
    """Seats of a level: its own, the least and the most it may be left with, and the widest request."""

    nominal: int
    lower: int
    upper: int
    widest: int

    @property
    def initial(self) -> int:
        """Before anything is known of the demand, half of what may be lent is."""
        return self.nominal - (self.nominal - self.lower) // 2


def limits_of(shapes: Mapping[str, Shape], seats: int) -> dict[str, Limits]:
    """Divide the server's seats by the levels' shares."""
    total = sum(shape.shares for shape in shapes.values())
    found: dict[str, Limits] = {}
    for name, shape in shapes.items():
        nominal = math.ceil(seats * shape.shares / total) if total else 0
        lendable = round(nominal * shape.lendable / 100)
        upper = seats if shape.borrowing is None else nominal + round(nominal * shape.borrowing / 100)
        widest = min(math.ceil(nominal * 0.15), nominal // shape.hand if shape.hand else nominal, MAX_SEATS)
        found[name] = Limits(nominal, nominal - lendable, upper, max(widest, 1))
    return found


class Demand(Struct, frozen=True):
    """Seats wanted of a level since the last adjustment, used or waited for."""

    high: int
    mean: float
    deviation: float

    def smoothed(self, before: float) -> float:
        """Up at once, down slowly."""
        envelope = self.mean + self.deviation
        return max(envelope, SMOOTHING * before + (1 - SMOOTHING) * envelope)


class Claim(Struct, frozen=True):
    """What a level is to get of the server's seats: at least `lower`, at most `upper`, else in proportion to `target`."""

    lower: float
    upper: float
    target: float

    @classmethod
    def of(cls, limits: Limits, demand: Demand, smoothed: float, *, exempt: bool) -> Claim:
        if exempt:  # takes what it needs, and lends the rest of its own
            lower = float(max(limits.lower, demand.high))
            return cls(lower, lower, lower)
        lower = max(limits.lower, min(limits.nominal, demand.high))
        return cls(lower, max(limits.upper, lower), max(lower, smoothed))


def divide(claims: Mapping[str, Claim], seats: int) -> tuple[dict[str, int], float]:
    """Seats of each level, and the fraction of its target that a level gets which no bound holds."""

    def given(fraction: float) -> dict[str, float]:
        return {name: min(claim.upper, max(claim.lower, fraction * claim.target)) for name, claim in claims.items()}

    low, high = 0.0, 1.0
    reachable = min(float(seats), sum(claim.upper for claim in claims.values()))
    while sum(given(high).values()) < reachable and high < 1e9:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if sum(given(middle).values()) > seats:
            high = middle
        else:
            low = middle
    return {name: round(value) for name, value in given(low).items()}, low
