"""Who owns which field (`metadata.managedFields`), for writes of clients and of the server itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.patch.managed_fields import keep_times
from pybernetes.api.patch.reset_fields import reset_fields
from pybernetes.api.tree import Tree
from pybernetes.apiserver.registry.served import Served

SERVER: Final = "kube-apiserver"
"""The name under which the server's own writes are noted."""


@lru_cache(maxsize=1024)
def field_manager(served: Served, subresource: str) -> FieldManager:
    """The tracker of who owns which field of a resource, or of a part of it."""
    assert served.schema is not None
    resource = served.resource
    reset = reset_fields(
        resource.group, resource.plural, subresource, has_status=served.strategy.has_status, custom=served.custom
    )
    api_version, kind = resource.api_version, resource.kind
    return FieldManager(served.schema, api_version, kind, subresource, reset, served.versions)


def tracks_owners(served: Served) -> bool:
    """Whether objects of the kind have managedFields at all."""
    return served.schema is not None and served.strategy.tracks_owners


def noted(served: Served, live: Tree | None, new: Tree, subresource: str, now: str) -> Tree:
    """`new` with the server noted as the owner of what it changes; `live` is the stored object, None for a creation."""
    if not tracks_owners(served):
        return new
    stored = None if live is None else served.typed(live)
    made = field_manager(served, subresource).update(stored, served.typed(new), SERVER, now)
    return made if stored is None else keep_times(stored, made)
