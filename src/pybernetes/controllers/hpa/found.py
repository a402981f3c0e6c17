"""What looking at one metric comes to: a proposal, or a failure in upstream's words."""

from __future__ import annotations

from msgspec import Struct

from pybernetes.api.quantity import NANO, Quantity
from pybernetes.api.types import autoscaling_v2 as v2


class Found(Struct, frozen=True):
    """A metric's proposal, its name as messages have it, and what the status tells of it."""

    replicas: int
    name: str
    status: v2.MetricStatus


class MetricFailedError(Exception):
    """A metric that gives no number: the reason of condition and event, and their words."""

    def __init__(self, reason: str, message: str, what: str) -> None:
        super().__init__(message)
        self.reason, self.message, self.what = reason, message, what


def amount(thousandths: int) -> str:
    """A number of thousandths as a quantity: "1500m"."""
    return str(Quantity(thousandths * NANO // 1000))
