"""The objects of a definition that is being deleted."""

from __future__ import annotations

import asyncio
from typing import Final

from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.crd.serve import Serving
from pybernetes.apiserver.registry.deletion import delete
from pybernetes.apiserver.registry.options import delete_options
from pybernetes.apiserver.registry.served_registry import ServedRegistry

AT_ONCE: Final = 64
"""So many deletions share their commits."""


async def end_objects(serving: Serving, registry: ServedRegistry) -> tuple[str, str, str] | None:
    """Delete those that are not deleted yet; status, reason and message of why some are left, None for none.

    They are deleted in the version in which they are stored, so that no webhook is asked about most of them.
    """
    store = serving.stored
    failures: list[StatusError] = []

    async def end(item: Item) -> None:
        try:
            ctx = registry.context(store.resource, "delete", item.namespace, item.name)
            await delete(ctx, store, item.namespace, item.name, delete_options({}))
        except StatusError as error:
            if not is_not_found(error):
                failures.append(error)

    left = [item for item in store.cache.select() if "deletionTimestamp" not in item.tree["metadata"]]
    for start in range(0, len(left), AT_ONCE):
        async with asyncio.TaskGroup() as group:
            for item in left[start : start + AT_ONCE]:
                group.create_task(end(item), name=f"end {item.key}")
        if failures:
            return "True", "InstanceDeletionFailed", f"could not issue all deletes: {failures[0]}"
    if len(store.cache):
        return "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress"
    return None
