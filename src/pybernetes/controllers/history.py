"""Revisions of StatefulSets and DaemonSets: their pod templates, kept as ControllerRevisions."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.api.types.base import Object
from pybernetes.client.codec import HasMetadata
from pybernetes.controllers.context import Context, ignore_not_found
from pybernetes.controllers.deployment.revision import template_hash
from pybernetes.controllers.ownership import CONTROLLER_INDEX, Claimer, add_owner_indexes, reference

REVISION_LABEL = "controller-revision-hash"
DEFAULT_LIMIT = 10


class _Spec(Protocol):
    @property
    def selector(self) -> meta_v1.LabelSelector: ...
    @property
    def template(self) -> core_v1.PodTemplateSpec: ...
    @property
    def revision_history_limit(self) -> int | None: ...


class Owner(HasMetadata, Protocol):
    """A StatefulSet or a DaemonSet."""

    @property
    def spec(self) -> _Spec: ...


class History:
    """Reads and writes the revisions of owners of one kind."""

    def __init__(self, context: Context, owners: type[Object]) -> None:
        self._client = context.client
        self._revisions = context.informers.of(apps_v1.ControllerRevision)
        add_owner_indexes(self._revisions)
        self._claimer = Claimer(context.client, owners, apps_v1.ControllerRevision, self._revisions)

    def of(self, owner: Owner) -> list[apps_v1.ControllerRevision]:
        """The owner's revisions, the oldest first."""
        found = self._revisions.by_index(CONTROLLER_INDEX, owner.metadata.uid or "")
        return sorted(found, key=lambda one: (one.revision, one.metadata.name or ""))

    async def sync(self, owner: Owner) -> apps_v1.ControllerRevision:
        """The revision of the owner's present template: made if it is new, made the newest if it is an old one.

        Revisions that an owner has left behind with its pods are taken over with them: else pods that are as they
        should be would bear a hash that nobody knows, and be replaced.
        """
        await self._claimer.claim(owner, labels.from_struct(owner.spec.selector))
        known, data = self.of(owner), encode(owner.spec.template)
        newest = known[-1].revision if known else 0
        equal = [one for one in known if one.data == data]
        if not equal:
            return await self._create(owner, data, newest + 1)
        if equal[-1].revision == newest:
            return equal[-1]
        meta = equal[-1].metadata
        again = await self._client.patch(
            apps_v1.ControllerRevision, meta.name or "", meta.namespace or "", {"revision": newest + 1}
        )
        self._revisions.assume(again)
        return again

    async def _create(self, owner: Owner, data: dict[str, Any], number: int) -> apps_v1.ControllerRevision:
        """Another hash is taken as long as the name is taken by another template."""
        for collisions in range(16):
            hashed = template_hash(owner.spec.template, collisions)
            made = apps_v1.ControllerRevision(
                metadata=meta_v1.ObjectMeta(
                    name=f"{owner.metadata.name}-{hashed}",
                    namespace=owner.metadata.namespace,
                    labels={**owner.spec.template.metadata.labels, REVISION_LABEL: hashed},
                    annotations=owner.metadata.annotations,
                    owner_references=[reference(owner)],
                ),
                data=data,
                revision=number,
            )
            try:
                stored = await self._client.create(made)
            except errors.StatusError as error:
                if not errors.is_already_exists(error):
                    raise
                continue
            self._revisions.assume(stored)
            return stored
        raise errors.already_exists("apps", "controllerrevisions", owner.metadata.name or "")

    async def clean_up(self, owner: Owner, used: set[str]) -> None:
        """Delete the oldest revisions beyond the limit, none that a pod or the status names (by hash or name)."""
        limit = DEFAULT_LIMIT if owner.spec.revision_history_limit is None else owner.spec.revision_history_limit
        idle = [one for one in self.of(owner) if not {one.metadata.name, hash_of(one)} & used]
        for one in idle[: max(0, len(idle) - limit)]:
            meta = one.metadata
            call = self._client.delete(
                apps_v1.ControllerRevision, meta.name or "", meta.namespace or "", uid=meta.uid or ""
            )
            await ignore_not_found(call)


def encode(template: core_v1.PodTemplateSpec) -> dict[str, Any]:
    """The template as a strategic merge patch of its owner, as `kubectl rollout undo` applies it.

    Clients compare revisions byte by byte with what they would make themselves: all names are in order.
    """
    return {"spec": {"template": {"$patch": "replace", **msgspec.to_builtins(template, order="sorted")}}}


def decode(revision: apps_v1.ControllerRevision) -> core_v1.PodTemplateSpec:
    """The template that a revision holds."""
    tree = {name: value for name, value in revision.data["spec"]["template"].items() if name != "$patch"}
    return msgspec.json.decode(msgspec.json.encode(tree), type=core_v1.PodTemplateSpec)


def hash_of(revision: apps_v1.ControllerRevision) -> str:
    return revision.metadata.labels.get(REVISION_LABEL, "")
