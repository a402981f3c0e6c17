"""A volume is published for each pod that uses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pybernetes.api import csi
from pybernetes.api.errors import StatusError
from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import storage_v1
from pybernetes.kubelet.volumes import ownership
from pybernetes.kubelet.volumes.context import Token
from pybernetes.kubelet.volumes.csi import record
from pybernetes.kubelet.volumes.csi.context import Doors
from pybernetes.kubelet.volumes.csi.driver import Can, Driver, DriverError
from pybernetes.kubelet.volumes.csi.messages import PublishRequest
from pybernetes.kubelet.volumes.csi.record import Record
from pybernetes.kubelet.volumes.csi.source import Source, capability, is_owned, pod_attributes
from pybernetes.kubelet.volumes.files import VolumeError
from pybernetes.kubelet.volumes.projected import DEFAULT_TOKEN_SECONDS, renew_at

TOKENS = "csi.storage.k8s.io/serviceAccount.tokens"


class Publisher:
    """Calls about one volume must not overlap. They raise VolumeError, and may be repeated."""

    def __init__(self, doors: Doors) -> None:
        self._doors, self._places = doors, doors.places
        self._tokens: dict[tuple[str, str, int], Token] = {}
        """By the pod's uid, audience and duration."""

    def target(self, uid: str, source: Source) -> Path:
        return (
            self._places.published_device(uid, source.name)
            if source.is_block
            else self._places.published(uid, source.name)
        )

    async def publish(
        self, driver: Driver, pod: v1.Pod, source: Source, context: dict[str, str], staged: Path | None,
        told: storage_v1.CSIDriver | None,
    ) -> Path:  # fmt: skip
        """Also again, for what is published already. `told` is what the driver says of itself."""
        uid, run = pod.metadata.uid or "", self._doors.threads.run
        target = self.target(uid, source)
        is_new = not await run(target.exists)
        shared = pod.spec.security_context
        group = shared.fs_group if shared else None
        is_delegated = await driver.can(Can.VOLUME_MOUNT_GROUP)
        attributes, secrets = await self._told_driver(pod, source, told)
        request = PublishRequest(
            volume_id=source.handle,
            publish_context=context,
            staging_target_path=self._doors.root.told(staged) if staged else "",
            target_path=self._doors.root.told(target),
            volume_capability=capability(
                source,
                is_fine=await driver.can(Can.SINGLE_NODE_MULTI_WRITER),
                group=group if is_delegated else None,
            ),
            readonly=source.read_only,
            secrets=secrets,
            volume_context=attributes,
        )
        await run(self._prepare, uid, source, target)
        try:
            await driver.publish(request)
        except DriverError as error:
            if error.is_final and is_new and not source.is_block:
                await run(record.clear, target)
            raise
        policy = (told.spec.fs_group_policy if told else None) or "ReadWriteOnceWithFSType"
        if group is not None and not is_delegated and not source.is_block and is_owned(source, policy):
            await self._own(pod, target, group)
        return target

    async def _told_driver(
        self, pod: v1.Pod, source: Source, told: storage_v1.CSIDriver | None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Attributes and secrets, with what the driver wants to know of the pod."""
        attributes = dict(source.attributes)
        secrets = await self._doors.secrets(source.publish_secret, "NodePublishSecretRef")
        if told is None:
            return attributes, secrets
        if told.spec.pod_info_on_mount:
            attributes |= pod_attributes(pod, source)
        if told.spec.token_requests and not source.is_block:
            (secrets if told.spec.service_account_token_in_secrets else attributes)[
                TOKENS
            ] = await self._token_attribute(pod, told)
        return attributes, secrets

    async def _token_attribute(self, pod: v1.Pod, told: storage_v1.CSIDriver) -> str:
        made: dict[str, Mapping[str, str]] = {}
        for request in told.spec.token_requests:
            token = await self._token(pod, request.audience, request.expiration_seconds or DEFAULT_TOKEN_SECONDS)
            made[request.audience] = {"token": token.text, "expirationTimestamp": format_time(token.expires)}
        return json.dumps(made, separators=(",", ":"), sort_keys=True)

    async def _token(self, pod: v1.Pod, audience: str, seconds: int) -> Token:
        key = (pod.metadata.uid or "", audience, seconds)
        known = self._tokens.get(key)
        if known is None or renew_at(known, seconds) <= self._doors.clock.now():
            try:
                known = self._tokens[key] = await self._doors.tokens.request(pod, audience, seconds)
            except StatusError as error:
                failed = "kubernetes.io/csi: mounter.SetUpAt failed to get service accoount token attributes"
                raise VolumeError(f"{failed}: {error.message}") from error
        return known

    def _prepare(self, uid: str, source: Source, target: Path) -> None:
        """The driver makes the target, the kubelet what is around it, and the record by which it is undone."""
        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        known = Record(
            driver=source.driver, handle=source.handle, name=source.name, node=self._doors.node,
            mode="" if source.is_block else source.lifecycle,
            attachment=csi.attachment_name(source.driver, source.handle, self._doors.node),
        )  # fmt: skip
        if not source.is_block:
            record.save(target.parent, known)
            return
        record.save(self._places.device_data(source.name), known)
        link = self._places.device_link(uid, source.name)
        link.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(target)

    async def _own(self, pod: v1.Pod, target: Path, group: int) -> None:
        shared = pod.spec.security_context
        only_on_mismatch = bool(shared and shared.fs_group_change_policy == "OnRootMismatch")
        await self._doors.threads.run(lambda: ownership.own(target, group, only_on_mismatch=only_on_mismatch))

    async def unpublish(self, pod: Path, target: Path, known: Record) -> None:
        """Undo one of `record.published` or `record.devices` of a pod's directory."""
        published = self.path_of(pod, target)
        await self._doors.drivers.get(known.driver).unpublish(known.handle, self._doors.root.told(published))
        await self._doors.threads.run(self._forget, published, target if published != target else None)

    def path_of(self, pod: Path, target: Path) -> Path:
        """Where the driver has put it: of a device the pod's directory has a link."""
        is_link = target.parent == self._places.links(pod)
        return self._places.published_device(pod.name, target.name) if is_link else target

    def _forget(self, published: Path, link: Path | None) -> None:
        if link is None:
            record.clear(published)
            return
        if published.is_dir():
            published.rmdir()
        else:
            published.unlink(missing_ok=True)
        if not record.entries(published.parent):
            published.parent.rmdir()
        link.unlink(missing_ok=True)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._tokens if key[0] == uid]:
            del self._tokens[key]
