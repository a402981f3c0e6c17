"""GET of one object, or of a part of it."""

from __future__ import annotations

from pybernetes.api.errors import StatusError, bad_request, timeout
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.list_options import parse_revision, truth
from pybernetes.apiserver.http.message import Answer


async def get(call: Call) -> Answer:
    """The object from memory. A resourceVersion asks for one that is not older."""
    request = call.ctx.request
    wanted = call.format()
    if request.query_string:
        if "export" in request.query and truth(request.parameter("export")):
            raise bad_request("the export parameter, deprecated since v1.14, is no longer supported")
        await wait_for_revision(call, parse_revision(request.parameter("resourceVersion")))
    item = await call.served.store.must_get(call.namespace, call.name)
    if call.part is not None:
        call.part.check_shown(item.tree)
    return call.answer(200, item, wanted)


async def wait_for_revision(call: Call, revision: int) -> None:
    """Until the caches have seen the revision. Raises StatusError 504 if it does not come."""
    if not await call.served.store.wait(revision):
        raise too_large(call, revision)


def too_large(call: Call, revision: int) -> StatusError:
    """A revision that has not happened, and did not while we waited."""
    current, again = call.served.store.revision, 1 if call.served.strategy.is_cached else 0
    error = timeout(f"Too large resource version: {revision}, current: {current}", again)
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(error.code, error.reason, error.message, {"causes": causes, **(error.details or {})})
