"""DELETE of a collection: each object that the selectors take, by itself."""

from __future__ import annotations

from msgspec.structs import replace

from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.delete import read_options
from pybernetes.apiserver.handlers.list import select
from pybernetes.apiserver.handlers.list_options import list_options
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.registry.deletion import delete as delete_object
from pybernetes.apiserver.registry.deletion import warn_of_deletion


async def deletecollection(call: Call) -> Answer:
    """200 with a list of what was deleted, as it was before; what somebody else deleted meanwhile is passed over."""
    wanted = call.negotiated()
    options = list_options(call.ctx.request, call.served)
    deletion = await read_options(call)
    warn_of_deletion(call.ctx, call.served.store, deletion)
    if not options.limit and options.version not in ("", "0") and not options.match and not options.continue_:
        options = replace(options, match="Exact")  # upstream reads page by page, and pages are of one version
    chosen, metadata = await select(call, options)
    deleted: list[Item] = []
    for item in chosen:
        try:
            await delete_object(call.ctx, call.served.store, item.namespace, item.name, deletion)
        except StatusError as error:
            if not is_not_found(error):
                raise
            continue
        deleted.append(item)
    encoder = call.encoders.collection(call.served, wanted, call.ctx.request.parameter("includeObject"))
    return Response(200, encoder.items(deleted, metadata), encoder.content_type)
