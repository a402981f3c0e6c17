"""DELETE of a collection: each object that the selectors take, by itself."""

from __future__ import annotations

from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.delete import item_of, read_options
from pybernetes.apiserver.handlers.list import check_version, cut
from pybernetes.apiserver.handlers.list_options import list_options, matches
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.negotiate import negotiate
from pybernetes.apiserver.registry.deletion import delete as delete_object


async def deletecollection(call: Call) -> Answer:
    """200 with a list of what was deleted; what somebody else deleted meanwhile is passed over."""
    wanted = negotiate(call.accept, transformable=True, protobuf=not call.served.custom)
    options = list_options(call.ctx.request, call.served)
    check_version(options)
    deletion = await read_options(call)
    store = call.served.store
    cache = await store.settled()
    chosen = [item for item in cache.select(call.prefix) if matches(item, options, call.served.strategy)]
    chosen, metadata = cut(call, options, chosen, store.revision)
    deleted: list[Item] = []
    for item in chosen:
        named = item.tree["metadata"]
        try:
            obj, gone = await delete_object(call.ctx, store, named.get("namespace", ""), named["name"], deletion)
        except StatusError as error:
            if not is_not_found(error):
                raise
            continue
        deleted.append(item if gone else item_of(call, obj))
    encoder = call.encoders.collection(call.served, wanted)
    return Response(200, encoder.items(deleted, metadata), encoder.content_type)
