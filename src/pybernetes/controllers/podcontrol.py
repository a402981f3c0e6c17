"""Making and deleting pods in the name of an owner, with the events that tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.codec import HasMetadata
from pybernetes.client.events import EventRecorder
from pybernetes.controllers.context import Context
from pybernetes.controllers.ownership import reference

# One reconcile makes or deletes no more than this, so that one huge owner does not shut out the others.
BURST = 500


class Words(Struct, frozen=True):
    """The messages of the events; {pod} and {owner} are names."""

    created: str = "Created pod: {pod}"
    create_failed: str = "Error creating: {error}"
    deleted: str = "Deleted pod: {pod}"
    delete_failed: str = "Error deleting: {error}"


class PodControl:
    """Creates and deletes pods. What it did is in the pod informer before it returns."""

    def __init__(self, context: Context, recorder: EventRecorder, words: Words | None = None) -> None:
        self._client, self._recorder, self._words = context.client, recorder, words or Words()
        self._pods = context.informers.of(core_v1.Pod)
        self._deleted: set[str] = set()
        self._pods.subscribe(self._on_pod)

    def present(self, pods: Sequence[core_v1.Pod]) -> list[core_v1.Pod]:
        """Without those that were deleted here and whose deletion the cache has not seen yet."""
        return [pod for pod in pods if pod.metadata.uid not in self._deleted] if self._deleted else list(pods)

    @property
    def has_deleted(self) -> bool:
        """Whether there are pods that `present` leaves out."""
        return bool(self._deleted)

    async def create(self, owner: HasMetadata, pod: core_v1.Pod) -> core_v1.Pod:
        """Create a pod and tell. Raises StatusError, told as well (unless the namespace is going)."""
        try:
            made = await self._client.create(pod)
        except errors.StatusError as error:
            if not errors.is_namespace_terminating(error):
                message = self._said(self._words.create_failed, owner, pod.metadata, error)
                self._recorder.event(owner, "Warning", "FailedCreate", message)
            raise
        self._pods.assume(made)
        message = self._said(self._words.created, owner, made.metadata)
        self._recorder.event(owner, "Normal", "SuccessfulCreate", message)
        return made

    async def delete(self, owner: HasMetadata, pod: core_v1.Pod) -> None:
        """Delete this very pod and tell; one that is gone already counts as deleted."""
        meta = pod.metadata
        self._deleted.add(meta.uid or "")
        try:
            left = await self._client.delete(core_v1.Pod, meta.name or "", meta.namespace or "", uid=meta.uid or "")
        except errors.StatusError as error:
            if errors.is_not_found(error) or errors.is_conflict(error):
                self._forget_if_seen(meta)
                return
            self._deleted.discard(meta.uid or "")
            message = self._said(self._words.delete_failed, owner, meta, error)
            self._recorder.event(owner, "Warning", "FailedDelete", message)
            raise
        if left is not None and left.metadata.deletion_timestamp is not None and left.metadata.uid == meta.uid:
            self._pods.assume(left)
        self._recorder.event(owner, "Normal", "SuccessfulDelete", self._said(self._words.deleted, owner, meta))
        self._forget_if_seen(meta)

    def _said(
        self, text: str, owner: HasMetadata, meta: meta_v1.ObjectMeta, error: errors.StatusError | None = None
    ) -> str:
        return text.format(owner=owner.metadata.name, pod=meta.name, error=error.message if error else "")

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if not self._deleted:
            return
        if new is None and old is not None:
            self._deleted.discard(old.metadata.uid or "")
        elif new is not None and new.metadata.deletion_timestamp is not None:
            self._deleted.discard(new.metadata.uid or "")

    def _forget_if_seen(self, meta: meta_v1.ObjectMeta) -> None:
        """The watch may have told of the deletion before the server's answer came."""
        cached = self._pods.get(meta.name or "", meta.namespace or "")
        if cached is None or cached.metadata.uid != meta.uid or cached.metadata.deletion_timestamp is not None:
            self._deleted.discard(meta.uid or "")


def pod_from_template(owner: HasMetadata, template: core_v1.PodTemplateSpec) -> core_v1.Pod:
    """A pod of the template, controlled by `owner`, whose name the server makes of the owner's."""
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            generate_name=f"{owner.metadata.name}-",
            namespace=owner.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=[reference(owner)],
        ),
        spec=template.spec,
    )


async def slow_start(count: int, call: Callable[[], Awaitable[object]]) -> errors.StatusError | None:
    """Do `call` `count` times, in parallel batches of 1, 2, 4, ...; the batch with the first error is the last.

    So what fails for all (a quota, a bad template) is tried a few times only. Returns the first error.
    """
    size, left = 1, count
    while left > 0:
        results = await in_parallel([call] * min(size, left))
        if (error := next((found for found in results if found is not None), None)) is not None:
            return error
        left -= size
        size *= 2
    return None


async def in_parallel(calls: Sequence[Callable[[], Awaitable[object]]]) -> list[errors.StatusError | None]:
    """Do all calls at once; the StatusError of each that failed."""
    outcomes: list[errors.StatusError | None] = [None] * len(calls)

    async def one(index: int, call: Callable[[], Awaitable[object]]) -> None:
        try:
            await call()
        except errors.StatusError as error:
            outcomes[index] = error

    async with asyncio.TaskGroup() as group:
        for index, call in enumerate(calls):
            group.create_task(one(index, call))
    return outcomes
