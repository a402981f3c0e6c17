"""What a placed pod gets beside its node: volumes for its claims, and devices. Set aside at once, written before it is bound."""

from __future__ import annotations

from msgspec import Struct

from pybernetes.scheduler.devices.binder import ClaimBinder
from pybernetes.scheduler.devices.world import Allocations
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins.dynamic_resources import plan_allocations
from pybernetes.scheduler.plugins.volume_binding import plan_binding
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.volume_binder import VolumeBinder
from pybernetes.scheduler.volumes import Plan


class Reservation(Struct, frozen=True):
    """For one pod on one node."""

    node: NodeState
    volumes: Plan
    devices: Allocations


class Reserver(Struct, frozen=True):
    """Keeps what decisions give from the next decision, until it is written."""

    snapshot: Snapshot
    volumes: VolumeBinder
    claims: ClaimBinder

    def reserve(self, pod: PodInfo, node: str) -> Reservation | None:
        """Before another decision can be made. None if there is nothing to write for the pod."""
        if not (pod.claims or pod.spec.resource_claims):
            return None
        where, volumes, devices = self.snapshot.nodes[node], self.snapshot.volumes, self.snapshot.devices
        reservation = Reservation(
            where,
            plan_binding(pod, where, volumes) or {} if pod.claims else {},
            plan_allocations(pod, where, devices) or {},
        )
        volumes.assume(reservation.volumes)
        devices.assume(reservation.devices)
        return reservation if reservation.volumes or pod.spec.resource_claims else None

    async def bind(self, pod: PodInfo, reservation: Reservation) -> None:
        """Returns when all of it is the pod's. Raises StatusError."""
        try:
            await self.claims.bind(pod, reservation.devices)
            if reservation.volumes:
                await self.volumes.bind(reservation.volumes, reservation.node)
        finally:
            self.snapshot.volumes.release(reservation.volumes)
            self.snapshot.devices.release(reservation.devices)
