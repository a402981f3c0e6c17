"""PUT of an object, or of a part of it."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.decode import decode_object
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.ownership import owned
from pybernetes.apiserver.registry import updating
from pybernetes.apiserver.registry.options import write_options
from pybernetes.apiserver.registry.updating import Update
from pybernetes.apiserver.stages.authorize.stage import check_create


async def update(call: Call) -> Answer:
    """200 with the object as stored; 201 where a PUT may create."""
    wanted = call.format()
    options = write_options(call.ctx.request, "UpdateOptions")
    given = await decode_object(call, options)

    def make(current: Item | None) -> Tree:
        return owned(call, given, current, options)

    item, created = await updating.update(
        call.ctx,
        call.served.store,
        Update(
            call.namespace,
            call.name,
            make,
            options,
            call.subresource,
            call.part,
            may_create=check_create if call.served.strategy.create_on_update and not call.own_view else None,
        ),
    )
    return call.answer(201 if created else 200, item, wanted)
