"""POST to a collection."""

from __future__ import annotations

from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.decode import decode_object
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.ownership import owned
from pybernetes.apiserver.registry.options import write_options


async def create(call: Call) -> Answer:
    """201 with the object as stored."""
    wanted = call.format()
    options = write_options(call.ctx.request, "CreateOptions")
    given = await decode_object(call, options)
    new = owned(call, given, None, options)
    item = await call.served.store.create(call.ctx, new, call.namespace, options)
    return call.answer(201, item, wanted)
