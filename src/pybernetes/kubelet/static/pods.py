"""Follows a directory of manifests, and keeps the mirrors of its pods."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from pybernetes.aio.clock import Clock
from pybernetes.aio.inotify import ENTRIES, Inotify
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.client.rest import Client
from pybernetes.kubelet import names
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.podspec import is_mirror, name_of, namespace_of, uid_of
from pybernetes.kubelet.static.manifest import ManifestError, mirror_of, pod_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
SUFFIXES = (".yaml", ".yml", ".json")


class StaticPods:
    """The static pods of one node. `mirror_changed` is fed by the same watch as the kubelet's pods."""

    def __init__(
        self, directory: Path, kubelet: Kubelet, client: Client, node: Callable[[], v1.Node], clock: Clock
    ) -> None:
        self._directory, self._kubelet, self._client = directory, kubelet, client
        self._node, self._clock = node, clock
        self._pods: dict[str, v1.Pod] = {}
        """uid -> pod."""
        self._mirrors: dict[tuple[str, str], v1.Pod] = {}
        self._changed = asyncio.Event()

    def mirror_changed(self, old: v1.Pod | None, new: v1.Pod | None) -> None:
        """A pod of the API has changed; those that are no mirrors are nothing to us."""
        pod = new or old
        if pod is None or not is_mirror(pod):
            return
        key = (namespace_of(pod), name_of(pod))
        if new is None:
            self._mirrors.pop(key, None)
        else:
            self._mirrors[key] = new
            for static in self._pods.values():
                if (namespace_of(static), name_of(static)) == key and _belongs(new, static):
                    self._kubelet.add(static, new)
        self._changed.set()

    async def run(self) -> None:
        """Follow the directory until cancelled."""
        with Inotify() as changes:
            changes.watch(self._directory, ENTRIES)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_mirrors())
                while True:
                    self.read()
                    self._changed.set()
                    await changes.wait()

    def read(self) -> None:
        """Take what the directory holds now. Manifests are few and small: all are read at each change."""
        self._directory.mkdir(parents=True, exist_ok=True)
        found: dict[str, v1.Pod] = {}
        for path in sorted(self._directory.iterdir()):
            if path.name.startswith(".") or path.suffix not in SUFFIXES:
                continue
            try:
                pod = pod_of(path.read_text(), self._node().metadata.name or "")
            except (ManifestError, OSError, UnicodeDecodeError) as error:
                log.error("cannot use manifest path=%s error=%s", path, error)
                continue
            found[uid_of(pod)] = pod
        for uid in self._pods.keys() - found.keys():
            self._kubelet.remove(uid)
        for uid in found.keys() - self._pods.keys():
            mirror = self._mirrors.get((namespace_of(found[uid]), name_of(found[uid])))
            self._kubelet.add(found[uid], mirror if mirror and _belongs(mirror, found[uid]) else None)
        self._pods = found

    async def _keep_mirrors(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._sync_mirrors()
            except StatusError as error:
                log.warning("cannot keep mirror pods error=%s", error.message)
                await self._clock.sleep(RETRY_SECONDS)
                self._changed.set()

    async def _sync_mirrors(self) -> None:
        wanted = {(namespace_of(pod), name_of(pod)): pod for pod in self._pods.values()}
        for key, mirror in list(self._mirrors.items()):
            static = wanted.get(key)
            if static is None or not _belongs(mirror, static) or mirror.metadata.deletion_timestamp:
                await self._delete(mirror)
        for key, static in wanted.items():
            if key not in self._mirrors:
                await self._create(static)

    async def _delete(self, mirror: v1.Pod) -> None:
        try:
            await self._client.delete(
                v1.Pod, name_of(mirror), namespace_of(mirror), uid=uid_of(mirror), grace_period_seconds=0
            )
        except StatusError as error:
            if error.code not in (404, 409):
                raise

    async def _create(self, static: v1.Pod) -> None:
        try:
            await self._client.create(mirror_of(static, self._node()))
        except StatusError as error:
            if error.code != 409:
                raise


def _belongs(mirror: v1.Pod, static: v1.Pod) -> bool:
    return mirror.metadata.annotations.get(names.CONFIG_MIRROR) == static.metadata.annotations[names.CONFIG_HASH]
