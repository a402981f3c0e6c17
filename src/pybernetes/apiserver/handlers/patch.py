"""PATCH of an object, or of a part of it: JSON patch, merge patch, strategic merge patch, server-side apply."""

from __future__ import annotations

from pybernetes.api.errors import bad_request
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.body import read_body
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.patching import Patcher, patcher_for
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.registry.options import write_options
from pybernetes.apiserver.registry.updating import Update, update
from pybernetes.apiserver.stages.authorize.stage import check_create


async def patch(call: Call) -> Answer:
    """200 with the object as stored; 201 where an apply created it."""
    media = call.ctx.request.headers.get("content-type", "").partition(";")[0].strip()
    patcher: Patcher = patcher_for(call, media)
    if not call.name:
        raise bad_request("name must be provided")
    wanted = call.format()
    options = write_options(call.ctx.request, "PatchOptions", apply=patcher.creates)
    patcher.begin(await read_body(call.ctx.request), options)

    def make(current: Item | None) -> Tree:
        return patcher.make(current)

    item, created = await update(
        call.ctx,
        call.served.store,
        Update(
            call.namespace,
            call.name,
            make,
            options,
            call.subresource,
            call.part,
            may_create=check_create if patcher.creates and _is_creatable(call) else None,
            names_uid=False,
        ),
    )
    return call.answer(201 if created else 200, item, wanted)


def _is_creatable(call: Call) -> bool:
    """Whether an object can be made here: through a part only those that any update may make."""
    return call.part is None or (call.served.strategy.create_on_update and not call.own_view)
