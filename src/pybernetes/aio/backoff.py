"""Exponential back-off, with jitter from a passed-in source of randomness."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Delays in seconds: `initial`, then times `factor`, at most `limit`; each lengthened by up to `jitter` of itself."""

    initial: float
    limit: float
    factor: float = 2.0
    jitter: float = 0.0
    rng: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def next(self) -> float:
        """The delay before the next try; counts one failure."""
        delay = min(self.limit, self.initial * self.factor**self.failures)
        self.failures = min(self.failures + 1, 64)
        return delay * (1 + self.jitter * self.rng.random())

    def reset(self) -> None:
        self.failures = 0
