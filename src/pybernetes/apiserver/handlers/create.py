"""POST to a collection."""

from __future__ import annotations

from typing import Final

import msgspec

from pybernetes.api.tree import Tree
from pybernetes.apiserver.handlers.body import read_body
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.decode import decode_object
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.negotiate import content_type
from pybernetes.apiserver.ownership import owned
from pybernetes.apiserver.registry import creation
from pybernetes.apiserver.registry.metadata import timestamp
from pybernetes.apiserver.registry.options import WriteOptions, write_options

REMEMBERED: Final = 64


async def create(call: Call) -> Answer:
    """201 with the object as stored."""
    wanted = call.format()
    content_type(call.ctx.request.headers.get("content-type", ""))  # what cannot be read is refused first
    options = write_options(call.ctx.request, "CreateOptions")
    new = await _given(call, options)
    item = await creation.create(call.ctx, call.served.store, new, call.namespace, options)
    return call.answer(201, item, wanted)


_known: Final[dict[tuple[object, ...], bytes]] = {}
"""What bodies came to that leave the name to the server: a controller sends the same one for each pod of a thousand."""


async def _given(call: Call, options: WriteOptions) -> Tree:
    """The body as an object with its owner noted; the caller's own."""
    body, request = await read_body(call.ctx.request), call.ctx.request
    key = (
        call.served, body, request.headers.get("content-type", ""), call.namespace,
        options.manager, options.field_validation, timestamp(call.ctx.services.clock.now()),
    )  # fmt: skip
    found = _known.get(key)
    if found is not None:
        again: Tree = msgspec.json.decode(found)
        return again
    new = owned(call, await decode_object(call, options), None, options)
    if not new["metadata"].get("name") and not call.ctx.warnings:
        if len(_known) >= REMEMBERED:
            _known.clear()
        _known[key] = msgspec.json.encode(new)
    return new
