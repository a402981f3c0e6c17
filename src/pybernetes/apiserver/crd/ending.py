"""The objects of a definition that is being deleted."""

from __future__ import annotations

from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.apiserver.crd.serve import Serving
from pybernetes.apiserver.registry.deletion import delete
from pybernetes.apiserver.registry.options import delete_options
from pybernetes.apiserver.registry.served_registry import ServedRegistry


async def end_objects(serving: Serving, registry: ServedRegistry) -> tuple[str, str, str] | None:
    """Delete those that are not deleted yet; status, reason and message of why some are left, None for none.

    They are deleted in the version in which they are stored, so that no webhook is asked about most of them.
    """
    store = serving.stored
    for item in store.cache.select():
        if "deletionTimestamp" in item.tree["metadata"]:
            continue
        try:
            ctx = registry.context(store.resource, "delete", item.namespace, item.name)
            await delete(ctx, store, item.namespace, item.name, delete_options({}))
        except StatusError as error:
            if not is_not_found(error):
                return "True", "InstanceDeletionFailed", f"could not issue all deletes: {error}"
    if len(store.cache):
        return "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress"
    return None
