"""The node's heartbeat: a Lease in kube-node-lease, renewed four times within what it lasts (KEP-589)."""

import logging

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.api.errors import StatusError
from pybernetes.api.time import format_micro_time
from pybernetes.api.types import coordination_v1, meta_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.client.rest import Client

log = logging.getLogger(__name__)

NAMESPACE = "kube-node-lease"
RETRY_SECONDS = 1.0


class NodeLease:
    """Keeps one Lease renewed."""

    def __init__(self, client: Client, clock: Clock, node: v1.Node, duration: int) -> None:
        """`node` owns the lease: it goes with it. It lasts `duration` seconds."""
        self._client, self._clock, self._node, self._duration = client, clock, node, duration
        self._lease: coordination_v1.Lease | None = None

    async def run(self) -> None:
        """Renew until cancelled; failures are tried again every second."""
        while True:
            try:
                await self._renew()
                await self._clock.sleep(self._duration / 4)
            except StatusError as error:
                log.warning("cannot renew lease node=%s error=%s", self._node.metadata.name, error.message)
                self._lease = None
                await self._clock.sleep(RETRY_SECONDS)

    async def _renew(self) -> None:
        name = self._node.metadata.name or ""
        if self._lease is None:
            try:
                self._lease = await self._client.get(coordination_v1.Lease, name, NAMESPACE)
            except StatusError as error:
                if error.code != 404:
                    raise
                self._lease = await self._client.create(self._made(name))
                return
        spec = msgspec.structs.replace(
            self._lease.spec,
            holder_identity=name,
            lease_duration_seconds=self._duration,
            renew_time=format_micro_time(self._clock.now()),
        )
        self._lease = await self._client.update(msgspec.structs.replace(self._lease, spec=spec))

    def _made(self, name: str) -> coordination_v1.Lease:
        owner = meta_v1.OwnerReference(api_version="v1", kind="Node", name=name, uid=self._node.metadata.uid or "")
        return coordination_v1.Lease(
            metadata=meta_v1.ObjectMeta(name=name, namespace=NAMESPACE, owner_references=[owner]),
            spec=coordination_v1.LeaseSpec(
                holder_identity=name,
                lease_duration_seconds=self._duration,
                renew_time=format_micro_time(self._clock.now()),
            ),
        )
