"""The end of the chain: which handler a request goes to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from pybernetes.api.errors import StatusError, bad_request, method_not_allowed, page_not_found
from pybernetes.api.scheme import group_versions
from pybernetes.apiserver.aggregation.aggregator import Aggregator
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.encoders import Encoders
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.create import create
from pybernetes.apiserver.handlers.delete import delete
from pybernetes.apiserver.handlers.deletecollection import deletecollection
from pybernetes.apiserver.handlers.get import get
from pybernetes.apiserver.handlers.list import list_objects
from pybernetes.apiserver.handlers.patch import patch
from pybernetes.apiserver.handlers.update import update
from pybernetes.apiserver.handlers.watch import watch
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.pages import not_found
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.resources.strategy import Action, Target

Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]
Page: TypeAlias = Callable[[RequestContext], Awaitable[Answer]]

CatchUp: TypeAlias = Callable[[], Awaitable[None]]

VERBS: Final[dict[str, Handler]] = {
    "get": get,
    "list": list_objects,
    "watch": watch,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "deletecollection": deletecollection,
}


def is_builtin(group: str) -> bool:
    """Whether a group is built in: unknown resources of custom groups are unknown paths."""
    return bool(group_versions(group))


_READS: Final = frozenset(("get", "list", "watch"))
"""Verbs that take any state, or one not older than a given one, where they name a resourceVersion."""
_NAMED: Final = frozenset(("get", "update", "patch", "delete"))
"""Verbs on one object; the others are on collections."""


_CONNECTING: Final = frozenset(("attach", "exec", "portforward", "proxy"))
"""Subresources that connect the client to something else."""


def _suits(ctx: RequestContext) -> bool:
    """Objects have no HEAD, and the old paths of watches are for GET alone."""
    return ctx.request.method == "GET" or (ctx.request.method != "HEAD" and ctx.info.verb not in ("watch", "watchlist"))


class Dispatcher:
    """Resource requests go to a verb's handler, an action of the kind, or 404/405; all others to the pages."""

    def __init__(self, registry: ServedRegistry, pages: Page, aggregator: Aggregator, catch_up: CatchUp | None) -> None:
        self._registry = registry
        self._pages = pages
        self._aggregator = aggregator
        self._catch_up = catch_up
        """None where nobody else writes to the store."""
        self.encoders = Encoders()

    async def __call__(self, ctx: RequestContext) -> Answer:
        info = ctx.info
        if info.path.startswith("//"):  # which authorization reads as if there were one slash
            return not_found()
        if not info.is_resource_request:
            elsewhere = self._aggregator.matching(info.path)
            return await self._pages(ctx) if elsewhere is None else await self._aggregator(ctx, *elsewhere)
        if self._aggregator.passes_on(info.api_group, info.api_version):
            return await self._aggregator(ctx, info.api_group, info.api_version)
        served = self._registry.served(info.api_group, info.api_version, info.resource)
        if served is None:
            if is_builtin(info.api_group) and self._registry.serves(info.api_group, info.api_version):
                raise page_not_found()
            return await self._pages(ctx)
        if self._catch_up is not None and (
            info.verb not in _READS or not ctx.request.query_string or not ctx.request.parameter("resourceVersion")
        ):
            await self._catch_up()
        if bool(info.namespace) != served.resource.namespaced and not self._fits(served, ctx):
            if served.custom:
                return not_found()
            raise page_not_found()
        if info.subresource:
            return await self._subresource(ctx, served)
        named = len(info.parts) > 1
        if served.custom:
            return await self._custom(ctx, served, named=named)
        if len(info.parts) > 2 or (named and not _NAMED & set(served.resource.verbs)):
            raise page_not_found()
        fits = named is (info.verb in _NAMED) or info.verb == "watch"  # old paths of watches may name an object
        if info.verb not in served.resource.verbs or not _suits(ctx) or not fits:
            raise method_not_allowed()
        if served.strategy.virtual is not None:
            return await served.strategy.virtual(ctx, _target(served, ctx))
        return await VERBS[info.verb](self._call(ctx, served))

    async def _custom(self, ctx: RequestContext, served: Served, *, named: bool) -> Answer:
        """Upstream's server of custom resources looks at verbs alone: HEAD is a GET there, and any path may be posted to."""
        verb = ctx.info.verb
        if verb not in served.resource.verbs or (verb == "watch" and ctx.request.method == "HEAD"):
            raise _unsupported(served, verb)
        if verb in _NAMED and not named and verb != "patch":  # which looks at the kind of the patch first
            raise bad_request("name must be provided")
        call = self._call(ctx, served)
        return await VERBS[verb](call._replace(name="") if verb == "create" else call)

    @staticmethod
    def _fits(served: Served, ctx: RequestContext) -> bool:
        """Namespaces are named as a namespace of their own; collections are also there across all namespaces."""
        info = ctx.info
        if not served.resource.namespaced:
            return info.resource == "namespaces"
        if info.name and len(info.parts) > 1:
            return False
        if not {"list", "watch"} & set(served.resource.verbs):
            return False
        if info.verb in ("list", "watch"):
            return True
        if served.custom:
            return False
        raise method_not_allowed()

    def _call(self, ctx: RequestContext, served: Served) -> Call:
        info = ctx.info
        namespace = info.namespace if served.resource.namespaced else ""
        name = info.name if len(info.parts) > 1 else ""
        return Call(ctx, served, self.encoders, namespace, name)

    async def _subresource(self, ctx: RequestContext, served: Served) -> Answer:
        info, strategy = ctx.info, served.strategy
        known = served.resource.subresources.get(info.subresource)
        if known is None and served.custom:
            raise served.store.not_found(info.name)
        is_beside = info.verb == "watch" or (len(info.parts) > 3 and info.subresource != "proxy")
        if known is None or (is_beside and not served.custom):
            raise page_not_found()
        # A proxy passes OPTIONS on too, for which discovery has no word.
        asks_backend = info.subresource == "proxy" and ctx.request.method == "OPTIONS"
        has_head = info.subresource == "proxy" or served.custom
        beyond = info.verb not in known.verbs or (ctx.request.method == "HEAD" and not has_head)
        if beyond and not asks_backend:
            raise _unsupported(served, info.verb)
        action = strategy.actions.get(info.subresource)
        if info.subresource in _CONNECTING and "dryRun" in ctx.request.query:
            raise bad_request("dryRun is not supported")
        if action is not None:
            return await _act(action, ctx, _target(served, ctx))
        part = strategy.parts.get(info.subresource)
        if part is None:
            raise page_not_found()
        namespace = info.namespace if served.resource.namespaced else ""
        call = Call(ctx, served, self.encoders, namespace, info.name, info.subresource, part)
        return await VERBS[info.verb](call)


def _unsupported(served: Served, verb: str) -> StatusError:
    """What is said of a verb that a resource does not have."""
    if not served.custom:
        return method_not_allowed()
    resource = served.resource
    words = f'{verb} is not supported on resources of kind "{resource.group_resource}"'
    return StatusError(405, "MethodNotAllowed", words, {"group": resource.group, "kind": resource.plural})


async def _act(action: Action, ctx: RequestContext, target: Target) -> Answer:
    return await action(ctx, target)


def _target(served: Served, ctx: RequestContext) -> Target:
    info = ctx.info
    namespace = info.namespace if served.resource.namespaced else ""
    tail = ctx.request.path.split(f"/{info.subresource}/", 1)[-1] if len(info.parts) > 3 else ""
    name = info.name if len(info.parts) > 1 else ""
    return Target(served.resource, namespace, name, info.subresource, info.verb, tail)
