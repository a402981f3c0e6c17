"""Filters say whether a node can take a pod, scores how well it would: one file per plugin of upstream's name.

Local plugins look at one node alone, so that their verdicts are kept until that node changes. Global ones
(spreading, affinity between pods) look at all nodes, and are asked anew for each pod that uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot

MAX_SCORE = 100.0


class Rejection(Struct, frozen=True):
    """Why a node cannot take a pod, in upstream's words.

    `resolvable`: it could if other pods left it. `of_pod`: the reason is the pod's own, and not told per node. `untold`:
    nor is it told otherwise, since the pod is not ready to be tried (upstream's PreEnqueue).
    """

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool = False
    of_pod: bool = False
    untold: bool = False


class Filter(Protocol):
    """Node-local: None if the node can take the pod."""

    def __call__(self, pod: PodInfo, node: NodeState) -> Rejection | None: ...


class Score(Protocol):
    """Node-local: 0 to 100, higher is better."""

    def __call__(self, pod: PodInfo, node: NodeState) -> float: ...


class Verdicts(Struct, frozen=True):
    """What a global plugin says for one pod: a filter and a score over nodes, either may be absent."""

    filter: Callable[[NodeState], Rejection | None] | None = None
    score: Callable[[NodeState], float] | None = None


class GlobalPlugin(Protocol):
    """Looks at the whole snapshot; returns None if the pod does not use it."""

    def __call__(self, pod: PodInfo, snapshot: Snapshot) -> Verdicts | None: ...
