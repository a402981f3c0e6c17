"""The kubelets' events. Everyday ones are written as long as they are few: at scale they would cost more than the pods."""

from __future__ import annotations

from typing import Final

from pybernetes.aio.clock import Clock
from pybernetes.api.types import core_v1
from pybernetes.client.events import EventRecorder
from pybernetes.simulator.course import WARNING, Said
from pybernetes.simulator.view import Pod

BURST: Final = 300.0
PER_SECOND: Final = 10.0


class Events:
    """Of all simulated nodes. Of a mass of pods that start at once, the first hundred have all their events."""

    def __init__(self, recorder: EventRecorder, clock: Clock) -> None:
        self._recorder, self._clock = recorder, clock
        self._tokens, self._filled = BURST, clock.monotonic()

    def pod(self, pod: Pod, said: list[Said]) -> None:
        """All or none of what happened at a moment; warnings come before everyday events."""
        if not said:
            return
        urgent = any(each.type == WARNING for each in said)
        if not self._take(len(said), floor=0.0 if urgent else BURST / 10):
            return
        for each in said:
            self._recorder.event(
                _reference(pod, each.container), each.type, each.reason, each.message, host=pod.spec.node_name
            )

    def node(self, name: str, reason: str, message: str) -> None:
        """The uid is its name: that is where clients look for a kubelet's events."""
        if self._take(1, floor=BURST / 10):
            reference = core_v1.ObjectReference(kind="Node", name=name, uid=name)
            self._recorder.event(reference, "Normal", reason, message, host=name)

    def _take(self, count: int, floor: float) -> bool:
        now = self._clock.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled) * PER_SECOND)
        self._filled = now
        if self._tokens - count < floor:
            return False
        self._tokens -= count
        return True


def _reference(pod: Pod, container: str) -> core_v1.ObjectReference:
    meta = pod.metadata
    return core_v1.ObjectReference(
        api_version="v1",
        kind="Pod",
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        resource_version=meta.resource_version,
        field_path=f"spec.containers{{{container}}}" if container else None,
    )
