"""One instance of a driver: its connection, and the calls that prepare claims."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.aio.grpc.client import Channel
from pybernetes.aio.grpc.errors import GrpcError
from pybernetes.kubelet.dra import messages as m
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.dra.state import Device
from pybernetes.kubelet.plugins.handler import Plugin
from pybernetes.wire.message import Message

CALL_SECONDS = 45.0
R = TypeVar("R", bound=Message)


class Driver:
    """Knows whether its plugin can be reached; `changed` is called when that changes."""

    def __init__(self, plugin: Plugin, service: str, clock: Clock, changed: Callable[[], None]) -> None:
        """`service`: the gRPC service that is called, "v1.DRAPlugin"."""
        self.plugin = plugin
        self.is_connected = False
        self.channel = Channel(plugin.endpoint)
        self._package, self._clock, self._changed = f"/k8s.io.kubelet.pkg.apis.dra.{service}", clock, changed

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        backoff = Backoff(initial=0.1, limit=5.0)
        try:
            while True:
                try:
                    lost = await self.channel.connect()
                except GrpcError:
                    await self._clock.sleep(backoff.next())
                    continue
                backoff.reset()
                self._note(True)
                await asyncio.shield(lost)
                self._note(False)
        finally:
            self.channel.close()

    def _note(self, connected: bool) -> None:
        self.is_connected = connected
        self._changed()

    async def prepare(self, claims: Sequence[m.Claim]) -> dict[str, list[Device]]:
        """Claim UID -> its devices, for all that are asked for. Safe to repeat. Raises ClaimError."""
        answer = await self._call("NodePrepareResources", claims, m.NodePrepareResourcesResponse)
        names = {claim.uid: claim.name for claim in claims}
        for uid, result in answer.claims.items():
            _check("NodePrepareResources", names, uid, result.error)
        _check_all("NodePrepareResources", len(claims) - len(answer.claims))
        return {uid: [_device(each) for each in result.devices] for uid, result in answer.claims.items()}

    async def unprepare(self, claims: Sequence[m.Claim]) -> None:
        """Give devices up. Safe to repeat. Raises ClaimError."""
        answer = await self._call("NodeUnprepareResources", claims, m.NodeUnprepareResourcesResponse)
        names = {claim.uid: claim.name for claim in claims}
        for uid, result in answer.claims.items():
            _check("NodeUnprepareResources", names, uid, result.error)
        _check_all("NodeUnprepareResources", len(claims) - len(answer.claims))

    async def _call(self, method: str, claims: Sequence[m.Claim], answer: type[R]) -> R:
        request = m.ClaimsRequest(claims=list(claims))
        try:
            return await self.channel.call(f"{self._package}/{method}", request, answer, CALL_SECONDS)
        except GrpcError as error:
            raise ClaimError(f"{method}: {error}") from error


def _check(method: str, names: dict[str, str], uid: str, error: str) -> None:
    if uid not in names:
        raise ClaimError(f"{method} returned result for unknown claim UID {uid}")
    if error:
        raise ClaimError(f"{method} failed for ResourceClaim {names[uid]}: {error}")


def _check_all(method: str, missing: int) -> None:
    if missing:
        raise ClaimError(f"{method} skipped {missing} ResourceClaims")


def _device(given: m.Device) -> Device:
    return Device(given.pool_name, given.device_name, given.request_names, given.cdi_device_ids, given.share_id)
