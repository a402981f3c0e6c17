"""managedFields of writes through a Scale: the replicas there and in the object are one field with one owner."""

from __future__ import annotations

from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.patch.reset_fields import reset_fields
from pybernetes.api.patch.scale import ScaleFields
from pybernetes.api.schema import schema_of
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.decode import check_identity
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.resources.strategy import Part


def merged_view(call: Call, part: Part, given: Tree, current: Item, options: WriteOptions) -> Tree:
    """The object to be stored after an update or patch of its view."""
    live = _with_owners(call, part, current)
    manager, now = _manager(call), format_time(call.ctx.services.clock.now())
    view = manager.update(live, given, options.manager, now)
    return _stored(call, part, view, current)


def applied_view(call: Call, part: Part, config: Tree, current: Item, options: WriteOptions) -> Tree:
    """The object to be stored after a server-side apply to its view. Raises StatusError."""
    live = _with_owners(call, part, current)
    manager, now = _manager(call), format_time(call.ctx.services.clock.now())
    view = manager.apply(live, config, options.manager, bool(options.force), now)
    metadata = view["metadata"]
    check_identity(call, {**view, "metadata": dict(metadata) if isinstance(metadata, dict) else {}})
    return _stored(call, part, view, current)


def _fields(call: Call) -> ScaleFields:
    version = call.served.resource.api_version
    return ScaleFields(version, call.served.replicas or {version: call.served.strategy.replicas_path})


def _manager(call: Call) -> FieldManager:
    resource = call.served.resource
    schema = schema_of(call.expected_api_version, call.expected_kind)
    reset = reset_fields(resource.group, resource.plural, call.subresource)
    return FieldManager(schema, call.expected_api_version, call.expected_kind, call.subresource, reset)


def _with_owners(call: Call, part: Part, current: Item) -> Tree:
    live = part.read(current.tree)
    entries = _fields(call).to_scale(current.tree["metadata"].get("managedFields"))
    return {**live, "metadata": {**live["metadata"], "managedFields": entries}}


def _stored(call: Call, part: Part, view: Tree, current: Item) -> Tree:
    entries = view["metadata"].get("managedFields")
    made = part.merge(call.ctx, view, current.tree)
    owners = _fields(call).to_object(current.tree["metadata"].get("managedFields"), entries)
    metadata = {**made["metadata"], "managedFields": owners}
    metadata["resourceVersion"] = view["metadata"].get("resourceVersion", "")
    return {**made, "metadata": metadata}
