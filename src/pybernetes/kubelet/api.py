"""The kubelet's writes and reads of single objects, over the client."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.api.errors import StatusError
from pybernetes.api.time import parse_time
from pybernetes.api.types import authentication_v1, node_v1, resource_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.client.informer import Informer
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.podspec import name_of, namespace_of, uid_of
from pybernetes.kubelet.volumes.context import Token
from pybernetes.kubelet.volumes.files import VolumeError

log = logging.getLogger(__name__)


class PodApi:
    """`status.writer.PodWriter`, `volumes.context.Tokens`, `volumes.context.Claims` and `images.providers.Tokens`."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self._client, self._clock = client, clock or SystemClock()

    async def patch_status(self, name: str, namespace: str, patch: Mapping[str, Any]) -> v1.Pod:
        return await self._client.patch(v1.Pod, name, namespace, dict(patch), PatchType.STRATEGIC, subresource="status")

    async def delete(self, name: str, namespace: str, uid: str) -> None:
        try:
            await self._client.delete(v1.Pod, name, namespace, uid=uid, grace_period_seconds=0)
        except StatusError as error:
            if error.code not in (404, 409):
                raise

    async def request(self, pod: v1.Pod, audience: str, seconds: int) -> Token:
        bound = authentication_v1.BoundObjectReference(api_version="v1", kind="Pod", name=name_of(pod), uid=uid_of(pod))
        spec = authentication_v1.TokenRequestSpec(
            audiences=[audience] if audience else [], expiration_seconds=seconds, bound_object_ref=bound
        )
        made = await self._client.post(
            v1.ServiceAccount,
            pod.spec.service_account_name or "default",
            namespace_of(pod),
            "token",
            authentication_v1.TokenRequest(spec=spec),
            returns=authentication_v1.TokenRequest,
        )
        return Token(made.status.token or "", parse_time(made.status.expiration_timestamp or ""))

    async def annotations_of(self, pod: v1.Pod) -> tuple[str, Mapping[str, str]]:
        account = await self._client.get(v1.ServiceAccount, pod.spec.service_account_name or "", namespace_of(pod))
        return account.metadata.uid or "", account.metadata.annotations

    async def token_for(self, pod: v1.Pod, audience: str) -> str:
        return (await self.request(pod, audience, 3600)).text

    async def claim(self, name: str, namespace: str) -> resource_v1.ResourceClaim:
        return await self._client.get(resource_v1.ResourceClaim, name, namespace)

    async def delete_slices(self, node: str, driver: str = "") -> None:
        """The ResourceSlices of this node, of one driver or of all, as often as it takes."""
        selector = f"spec.nodeName={node}" + (f",spec.driver={driver}" if driver else "")
        backoff = Backoff(initial=1.0, limit=300.0, jitter=0.2)
        while True:
            try:
                await self._client.delete_collection(resource_v1.ResourceSlice, field_selector=selector)
                return
            except StatusError as error:
                if error.code == 404:
                    return
                log.info("ResourceSlices not deleted selector=%s error=%s", selector, error.message)
            await self._clock.sleep(backoff.next())

    async def volume_of(self, namespace: str, claim: str) -> v1.PersistentVolume:
        try:
            found = await self._client.get(v1.PersistentVolumeClaim, claim, namespace)
            if found.status.phase != "Bound" or not found.spec.volume_name:
                raise VolumeError(f"error processing PVC {namespace}/{claim}: PVC is not bound")
            return await self._client.get(v1.PersistentVolume, found.spec.volume_name)
        except StatusError as error:
            raise VolumeError(f"error processing PVC {namespace}/{claim}: {error.message}") from error


def runtime_handlers(classes: Informer[node_v1.RuntimeClass]) -> Callable[[str], str]:
    """RuntimeClass name -> handler, from a watched cache."""

    def handler(name: str) -> str:
        if not name:
            return ""
        found = classes.get(name)
        if found is None:
            raise ConfigError(f'failed to get sandbox runtime: no runtime for "{name}" is configured')
        return found.handler

    return handler
