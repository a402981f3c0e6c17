"""GET of a collection: whole, or in chunks of one consistent snapshot."""

from __future__ import annotations

from msgspec.structs import replace

from pybernetes.api.errors import StatusError, bad_request, expired
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.encoding import ListMetadata
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.continuation import Position, decode_continue, encode_continue
from pybernetes.apiserver.handlers.get import wait_for_revision
from pybernetes.apiserver.handlers.list_options import ListOptions, list_options, matches
from pybernetes.apiserver.http.compression import compressed
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.store.backend import CompactedError

OLD_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class OldContinueError(StatusError):
    """The snapshot that a continue token reads is gone; `token` goes on without one."""

    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", OLD_CONTINUE)
        self._token = token

    @property
    def status(self) -> Tree:
        return super().status | {"metadata": {"continue": self._token}}


async def list_objects(call: Call) -> Answer:
    """From memory at the current revision; an exact revision and further chunks come from the store's history."""
    request = call.ctx.request
    wanted = call.negotiated(streams=True)
    options = list_options(request, call.served)
    if options.version == "0" and options.match != "Exact" and call.served.strategy.is_cached:
        # What is answered from memory is not cut.
        options = replace(options, limit=0)
    encoder = call.encoders.collection(call.served, wanted, request.parameter("includeObject"))
    items, metadata = await select(call, options)
    parts = encoder.items(items, metadata)
    return compressed(Response(200, parts, encoder.content_type), request.headers.get("accept-encoding", ""))


async def select(call: Call, options: ListOptions) -> tuple[list[Item], ListMetadata]:
    """The objects that the options ask for. Raises StatusError."""
    if options.continue_:
        return await _continue(call, options)
    try:
        revision = options.revision
    except StatusError as error:
        raise bad_request(f"invalid resource version: {error.message}") from error
    if options.match == "Exact":
        return await _from_history(call, options, Position(revision, ""))
    if options.limit > 0 and revision and not options.match:
        # Upstream reads a limited list with a resourceVersion at exactly that one.
        return await _from_history(call, options, Position(revision, ""))
    await wait_for_revision(call, revision)
    store = call.served.store
    cache = await store.settled()
    looks_ahead = call.served.strategy.is_cached
    return cut(call, options, cache.select(call.prefix), store.revision, looks_ahead=looks_ahead)


async def _continue(call: Call, options: ListOptions) -> tuple[list[Item], ListMetadata]:
    position = decode_continue(options.continue_)
    if options.version not in ("", "0"):
        raise StatusError(400, "BadRequest", "specifying resource version is not allowed when using continue")
    if position.revision < 0:
        store = call.served.store
        cache = await store.settled()
        return cut(call, options, cache.select(call.prefix, call.prefix + position.after), store.revision)
    return await _from_history(call, options, position)


async def _from_history(call: Call, options: ListOptions, position: Position) -> tuple[list[Item], ListMetadata]:
    if position.revision > call.served.store.revision:
        await wait_for_revision(call, position.revision)
    try:
        items = await call.served.store.at_revision(call.prefix, position.revision, position.after)
    except CompactedError as error:
        if position.after:
            token = encode_continue(Position(-1, position.after))
            raise OldContinueError(token) from error
        raise expired("The resourceVersion for the provided list is too old.") from error
    store = call.served.store
    if not options.selects_everything:
        return cut(call, options, await store.read(items), position.revision, looks_ahead=False)
    items, metadata = cut(call, options, items, position.revision)
    return await store.read(items), metadata


def cut(
    call: Call, options: ListOptions, items: list[Item], revision: int, *, looks_ahead: bool = True
) -> tuple[list[Item], ListMetadata]:
    """The objects that the selectors take, as many as the limit allows, and where the next chunk begins.

    Who reads the store does not look ahead: there may be more where there are more objects, be they taken or not.
    """
    last = items[-1] if items else None
    if not options.selects_everything:
        strategy = call.served.strategy
        items = [item for item in items if matches(item, options, strategy)]
    metadata = ListMetadata(str(revision))
    if options.limit <= 0:
        return items, metadata
    is_last = looks_ahead or len(items) < options.limit or items[options.limit - 1] is last
    if options.limit < len(items) + (not is_last):
        after = items[options.limit - 1].key.removeprefix(call.prefix)
        metadata.continue_ = encode_continue(Position(revision, after))
        if options.selects_everything:
            metadata.remaining_item_count = len(items) - options.limit
        items = items[: options.limit]
    return items, metadata
