"""ConfigMaps and Secrets that the pods of this node refer to: each watched by name from its first use to its last."""

import asyncio
import base64
from collections.abc import Callable
from typing import Protocol, TypeVar

from pybernetes.aio.clock import Clock
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.rest import Client
from pybernetes.kubelet.podspec import namespace_of, uid_of
from pybernetes.kubelet.references import references_of

T = TypeVar("T", bound=Object)
SYNC_SECONDS = 10.0
LINGER_SECONDS = 60.0


class ConfigError(Exception):
    """What a pod refers to cannot be had; the message is the one for its status and events."""


class Objects(Protocol):
    """Reads the objects that a pod refers to. None where an optional one does not exist; else ConfigError."""

    async def config_map(self, namespace: str, name: str, *, optional: bool = False) -> v1.ConfigMap | None: ...

    async def secret(self, namespace: str, name: str, *, optional: bool = False) -> v1.Secret | None: ...


class PodObjects(Objects, Protocol):
    """Objects, kept while pods use them."""

    def use(self, pod: v1.Pod) -> None:
        """Begin to watch what the pod refers to. Safe to repeat."""
        ...

    def release(self, uid: str) -> None:
        """The pod is gone: what only it used is watched no more."""
        ...


def secret_data(secret: v1.Secret) -> dict[str, bytes]:
    """The decoded values."""
    return {key: base64.b64decode(value) for key, value in secret.data.items()}


class WatchedObjects:
    """Objects by watch: the first read waits for the list, later ones cost nothing; changes call the pods' workers."""

    def __init__(self, client: Client, informers: Informers, clock: Clock, on_change: Callable[[str], None]) -> None:
        """`on_change(pod uid)` is called when an object that the pod refers to has changed."""
        self._client, self._informers, self._clock, self._on_change = client, informers, clock, on_change
        self._idle_since: dict[tuple[type[Object], str, str], float] = {}
        self._users: dict[tuple[type[Object], str, str], set[str]] = {}
        self._watches: dict[tuple[type[Object], str, str], Informer[Object]] = {}

    def use(self, pod: v1.Pod) -> None:
        """Begin to watch what the pod refers to. Safe to repeat."""
        uid = uid_of(pod)
        for kind, name in references_of(pod):
            key = (kind, namespace_of(pod), name)
            self._users.setdefault(key, set()).add(uid)
            self._idle_since.pop(key, None)
            self._watch(key)

    def release(self, uid: str) -> None:
        """The pod is gone. What only it used is watched a little longer: its successor is likely to use the same."""
        for key in [key for key, users in self._users.items() if uid in users]:
            self._users[key].discard(uid)
            if not self._users[key]:
                del self._users[key]
                self._idle_since[key] = self._clock.monotonic()

    def sweep(self) -> None:
        """End the watches that no pod has used for a while. Called now and then."""
        due = self._clock.monotonic() - LINGER_SECONDS
        for key in [key for key, since in self._idle_since.items() if since <= due]:
            del self._idle_since[key]
            self._informers.forget(self._watches.pop(key))

    def _watch(self, key: tuple[type[Object], str, str]) -> Informer[Object]:
        if key in self._watches:
            return self._watches[key]
        kind, namespace, name = key
        informer = self._informers.of(kind, namespace, field_selector=f"metadata.name={name}")
        self._watches[key] = informer
        informer.subscribe(lambda old, new: self._changed(key))
        return informer

    def _changed(self, key: tuple[type[Object], str, str]) -> None:
        if self._watches[key].synced.is_set():
            for uid in tuple(self._users.get(key, ())):
                self._on_change(uid)

    async def config_map(self, namespace: str, name: str, *, optional: bool = False) -> v1.ConfigMap | None:
        return await self._get(v1.ConfigMap, "configmap", namespace, name, optional)

    async def secret(self, namespace: str, name: str, *, optional: bool = False) -> v1.Secret | None:
        return await self._get(v1.Secret, "secret", namespace, name, optional)

    async def _get(self, kind: type[T], word: str, namespace: str, name: str, optional: bool) -> T | None:
        found = await self._read(kind, word, namespace, name)
        if found is None and not optional:
            raise ConfigError(f'{word} "{name}" not found')
        return found

    async def _read(self, kind: type[T], word: str, namespace: str, name: str) -> T | None:
        watch = self._watches.get((kind, namespace, name))
        if watch is not None:
            try:
                async with asyncio.timeout(SYNC_SECONDS):
                    await watch.synced.wait()
            except TimeoutError as error:
                raise ConfigError(f"failed to sync {word} cache: timed out waiting for the condition") from error
            found = watch.get(name, namespace)
            if isinstance(found, kind):
                return found
        # A watch may be a moment behind a pod that was made right after its ConfigMap.
        try:
            return await self._client.get(kind, name, namespace)
        except StatusError as error:
            if error.code == 404:
                return None
            raise ConfigError(error.message) from error
