"""From what a client sent to the object to be stored: through the part it wrote, with managedFields kept."""

from __future__ import annotations

from pybernetes.api.defaults import default_definition
from pybernetes.api.patch.managed_fields import keep_times
from pybernetes.api.schema import schema_of
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.registry.field_managers import field_manager, tracks_owners
from pybernetes.apiserver.registry.metadata import timestamp
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.scale_ownership import merged_view

__all__ = ["field_manager", "owned", "to_be_stored"]


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
        if served.conversion is not None:  # what does not outlive the conversion is nobody's
            new = served.from_storage(served.to_storage(new))
        new = field_manager(served, call.subresource).update(live, new, options.manager, now)
    return to_be_stored(call, new, current)


def to_be_stored(call: Call, new: Tree, current: Item | None) -> Tree:
    """An object of the served version in the storage version."""
    made = call.served.to_storage(new)
    if made["apiVersion"] != new["apiVersion"]:  # what only the stored version has is defaulted by whoever reads it
        default_definition(schema_of(made["apiVersion"], made["kind"]), made)
    if current is not None:
        live = {"kind": made["kind"], "apiVersion": made["apiVersion"]} | current.tree
        made = keep_times(live, made)
    return {**made, "metadata": dict(made["metadata"])}
