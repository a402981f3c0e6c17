"""What pods do: the stages that they go through, and what they say and use meanwhile. Pure.

A pod goes through `pull`, `start`, `ready`, `run` and, when it is deleted, `stop`. Each stage takes a while (`after`,
and up to `jitter` more) and may fail (`fail` with a reason, by `chance`, so many `times`). What a pod's annotations do
not say is taken from the first rule that matches the pod and says it, and then from the defaults.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import inf
from typing import Final

from msgspec import Struct, field

PULL, START, READY, RUN, STOP = "pull", "start", "ready", "run", "stop"
STAGES: Final = (PULL, START, READY, RUN, STOP)
TASK_SECONDS: Final = 1.0
"""How long pods run that are to end by themselves (restartPolicy OnFailure or Never)."""


class Stage(Struct, frozen=True):
    """One stage. Seconds; `after` infinite: the stage never ends."""

    after: float = 0.0
    jitter: float = 0.0
    fail: str = ""
    """The reason of the failure; empty: it succeeds."""
    message: str = ""
    chance: float = 1.0
    times: int = 0
    """It fails so often, then no more; 0: for ever."""
    exit: int = 0
    """Of `run`: the exit code."""
    container: str = ""
    """Whom the failure or the exit concerns; empty: every container."""

    def seconds(self, rng: random.Random) -> float:
        """How long it takes this time."""
        return self.after + rng.random() * self.jitter if self.jitter else self.after

    def fails(self, before: int, rng: random.Random) -> bool:
        """Whether it fails this time, after so many failures."""
        return bool(self.fail) and self.happens(before, rng)

    def happens(self, before: int, rng: random.Random) -> bool:
        if self.times and before >= self.times:
            return False
        return self.chance >= 1.0 or rng.random() < self.chance


NOTHING: Final = Stage()
FOR_EVER: Final = Stage(after=inf)
TASK: Final = Stage(after=TASK_SECONDS)


class Logs(Struct, frozen=True):
    """What containers write: these lines at once, then `every` so many seconds the next of `lines` again."""

    lines: tuple[str, ...] = ()
    every: float = 0.0
    """0: nothing more follows."""


class Behaviour(Struct, frozen=True):
    """All that a pod does."""

    stages: Mapping[str, Stage] = field(default_factory=dict)
    logs: Logs | None = None
    exec: Mapping[str, str] = field(default_factory=dict)
    """Command -> output; `*` for all that are not named."""
    cpu: str = ""
    memory: str = ""
    """An amount, or a part of the request ("80%")."""

    def under(self, other: Behaviour) -> Behaviour:
        """With what `other` says, and this does not."""
        return Behaviour(
            stages={**other.stages, **self.stages},
            logs=self.logs or other.logs,
            exec={**other.exec, **self.exec},
            cpu=self.cpu or other.cpu,
            memory=self.memory or other.memory,
        )


UNSAID: Final = Behaviour()
CONCERNS: Final = (*STAGES, "logs", "exec", "cpu", "memory")


def defaults(restart_policy: str) -> Behaviour:
    """Everything at once; pods that are to end by themselves do so after a second."""
    return _TASKS if restart_policy in ("OnFailure", "Never") else _SERVERS


_BASE: Final = {PULL: NOTHING, START: NOTHING, STOP: NOTHING}
_SERVERS: Final = Behaviour({**_BASE, RUN: FOR_EVER})
_TASKS: Final = Behaviour({**_BASE, RUN: TASK})
"""`ready` is left out: without a word it is the readiness probe's initial delay."""
