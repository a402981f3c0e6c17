"""Pods that wait for a node: the active ones by priority, those backing off, and those that wait for a change."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import replace

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.scheduler.pod import PodInfo
from pybernetes.telemetry.metrics import Counter

FAILURE = "ScheduleAttemptFailure"
INITIAL_BACKOFF = 1.0
MAX_BACKOFF = 10.0
UNSCHEDULABLE_LIMIT = 300.0
"""A pod that no change has woken is tried again after this long all the same."""


class Queue:
    """Higher priority first, then who has waited longer. A pod is in at most one of the three parts."""

    def __init__(self, clock: Clock, scope: Scope, incoming: Counter | None = None) -> None:
        """`incoming` counts by event and queue."""
        self._clock = clock
        self._scope = scope
        self._pods: dict[str, PodInfo] = {}
        self._active: list[tuple[int, float, int, str]] = []
        self._waiting: dict[str, frozenset[str]] = {}
        self._backing_off: set[str] = set()
        self._incoming = incoming or Counter("incoming", "", ("event", "queue"))
        self._sequence = 0
        self._current: dict[str, int] = {}
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        return len(self._pods)

    def counts(self) -> dict[str, int]:
        """How many pods wait in each part, by upstream's names."""
        backoff, unschedulable = len(self._backing_off), len(self._waiting)
        return {
            "active": len(self._pods) - backoff - unschedulable, "backoff": backoff, "unschedulable": unschedulable,
        }  # fmt: skip

    def add(self, pod: PodInfo) -> None:
        """A pod that is new, or whose spec or labels have changed: it is tried at once."""
        self._pods[pod.uid] = pod
        self._waiting.pop(pod.uid, None)
        self._activate(pod, "UnschedulablePodAdd")

    def remove(self, uid: str) -> None:
        """The pod is bound, gone, or no longer ours. Safe to repeat."""
        self._pods.pop(uid, None)
        self._waiting.pop(uid, None)
        self._backing_off.discard(uid)
        self._current.pop(uid, None)

    def refresh(self, pod: PodInfo) -> None:
        """A change that decides nothing (a status): keep the newer object, stay where it is."""
        known = self._pods.get(pod.uid)
        if known is not None:
            self._pods[pod.uid] = replace(known, pod=pod.pod)

    def knows(self, uid: str) -> bool:
        return uid in self._pods

    def is_waiting(self, uid: str) -> bool:
        """Whether no node could take the pod, and nothing has happened since that concerns it."""
        return uid in self._waiting

    async def pop(self) -> PodInfo:
        """The next pod; it is out of the queue until it is given back by one of the methods below."""
        while True:
            while self._active:
                *_, sequence, uid = heapq.heappop(self._active)
                if self._current.get(uid) == sequence and uid in self._pods:
                    del self._current[uid]
                    return self._pods.pop(uid)
            self._ready.clear()
            await self._ready.wait()

    def give_back_unschedulable(self, pod: PodInfo, plugins: frozenset[str]) -> None:
        """No node could take it: it waits until something happens that concerns these plugins."""
        self._pods[pod.uid] = pod
        self._waiting[pod.uid] = plugins
        self._incoming.inc(FAILURE, "unschedulable")
        self._later(pod, UNSCHEDULABLE_LIMIT)

    def give_back_failed(self, pod: PodInfo) -> None:
        """Something went wrong on the way (a conflict, the API server was away): it is tried again after a pause."""
        self._pods[pod.uid] = pod
        self._waiting.pop(pod.uid, None)
        self._back_off(pod, backoff(pod.attempts), FAILURE)

    def wake(self, event: str, plugins: frozenset[str] | None = None) -> None:
        """Something has happened that may change the mind of these plugins (None: of any)."""
        for uid, rejected_by in list(self._waiting.items()):
            if plugins is None or not rejected_by.isdisjoint(plugins):
                del self._waiting[uid]
                pod = self._pods[uid]
                remaining = pod.added + backoff(pod.attempts) - self._clock.monotonic()
                if remaining > 0:
                    self._back_off(pod, remaining, event)
                else:
                    self._activate(pod, event)

    def _back_off(self, pod: PodInfo, seconds: float, event: str) -> None:
        self._backing_off.add(pod.uid)
        self._incoming.inc(event, "backoff")
        self._later(pod, seconds)

    def _activate(self, pod: PodInfo, event: str) -> None:
        self._backing_off.discard(pod.uid)
        self._incoming.inc(event, "active")
        self._sequence += 1
        self._current[pod.uid] = self._sequence
        heapq.heappush(self._active, (-pod.priority, pod.added, self._sequence, pod.uid))
        self._ready.set()

    def _later(self, pod: PodInfo, seconds: float) -> None:
        self._sequence += 1
        self._current[pod.uid] = self._sequence
        self._scope.spawn(self._after(pod.uid, self._sequence, seconds), f"backoff {pod.key}")

    async def _after(self, uid: str, sequence: int, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if self._current.get(uid) == sequence and uid in self._pods:
            timed_out = self._waiting.pop(uid, None) is not None
            self._activate(self._pods[uid], "UnschedulableTimeout" if timed_out else "BackoffComplete")


def backoff(attempts: int) -> float:
    """Seconds until a pod is tried again after so many failed attempts: 1, 2, 4, 8, 10, 10 ..."""
    return float(min(MAX_BACKOFF, INITIAL_BACKOFF * 2 ** max(0, min(attempts, 16) - 1)))
