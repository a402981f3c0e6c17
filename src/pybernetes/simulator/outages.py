"""When a node is not well. Pure: time and chance are passed in."""

from __future__ import annotations

import random
from math import inf

from msgspec import Struct

from pybernetes.simulator.rules import Outage


class Outages(Struct):
    """The recurring bad times of one node, by a rule; None: there are none."""

    rule: Outage | None
    next: float
    """When the next one may begin, or the present one ends."""
    is_on: bool = False

    @classmethod
    def of(cls, rule: Outage | None, registered: float, rng: random.Random) -> Outages:
        return cls(rule, registered + _gap(rule, rng) if rule else inf)

    def look(self, now: float, rng: random.Random) -> bool:
        """Whether there is one now."""
        while self.rule is not None and self.next <= now:
            if self.is_on:
                self.is_on, self.next = False, self.next + _gap(self.rule, rng)
            elif self.rule.chance >= 1 or rng.random() < self.rule.chance:
                self.is_on, self.next = True, self.next + self.rule.lasts
            else:
                self.next += _gap(self.rule, rng)
        return self.is_on


def _gap(rule: Outage, rng: random.Random) -> float:
    """At least a second, so that every look ends."""
    return max(1.0, rule.after + rng.random() * rule.jitter)
