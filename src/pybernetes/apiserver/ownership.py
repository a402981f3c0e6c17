"""From what a client sent to the object to be stored: through the part it wrote, with managedFields kept."""

from __future__ import annotations

from pybernetes.api.patch.managed_fields import keep_times
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.registry.field_managers import field_manager, tracks_owners
from pybernetes.apiserver.registry.metadata import timestamp
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.scale_ownership import merged_view

__all__ = ["field_manager", "owned"]


def owned(call: Call, given: Tree, current: Item | None, options: WriteOptions) -> Tree:
    """What is to be stored, in the storage version: `given` (in the served one) with its owner noted.

    `current` is the stored object, None for a creation. `given` is used up.
    """
    served = call.served
    live = None if current is None else served.typed(served.from_storage(current.tree))
    new = given
    if current is None:
        for server_set in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            new["metadata"].pop(server_set, None)
    if call.own_view and call.part is not None and current is not None:
        return merged_view(call, call.part, given, current, options)
    if tracks_owners(served):
        now = timestamp(call.ctx.services.clock.now())
        new = field_manager(served, call.subresource).update(live, new, options.manager, now)
    if call.part is not None and live is not None:
        new = call.part.merge(call.ctx, new, live)
    if live is not None:
        new = keep_times(live, new)
    new = served.to_storage(new)
    return {**new, "metadata": dict(new["metadata"])}
