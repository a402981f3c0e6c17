"""The stage: lets the request pass, or ends it with 403."""

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.pages import NO_SNIFFING
from pybernetes.apiserver.stages.authorize.attributes import Attributes, Authorizer, Decision, decide, forbidden_words

SELECTING = frozenset(("list", "watch", "deletecollection"))


class Authorize(Struct, frozen=True):
    """Asks the authorizer about each request, and leaves the answer to the audit log."""

    authorizer: Authorizer

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        attributes = attributes_of(ctx)
        decision = self.authorizer.authorize(attributes)
        if decision.pending is not None:
            decision = await decide(self.authorizer, attributes)
        ctx.audit["authorization.k8s.io/decision"] = "allow" if decision.allowed else "forbid"
        ctx.audit["authorization.k8s.io/reason"] = decision.reason
        if not decision.allowed:
            ctx.headers = (*ctx.headers, NO_SNIFFING)
            raise refusal(attributes, decision)
        return await proceed(ctx)


def attributes_of(ctx: RequestContext) -> Attributes:
    """What is asked when the context's user makes the request."""
    info = ctx.info
    if not info.is_resource_request:
        return Attributes(ctx.user, info.verb, path=info.path)
    selecting = info.verb in SELECTING and bool(ctx.request.query_string)
    return Attributes(
        ctx.user,
        info.verb,
        info.api_group,
        info.api_version,
        info.resource,
        info.subresource,
        info.namespace,
        info.name,
        field_selector=ctx.request.parameter("fieldSelector") if selecting else "",
        label_selector=ctx.request.parameter("labelSelector") if selecting else "",
    )


async def check_create(ctx: RequestContext) -> None:
    """Who changes what is not there makes it, which they have to be allowed too. Raises StatusError 403."""
    attributes, authorizer = attributes_of(ctx)._replace(verb="create"), ctx.services.security.authorizer
    decision = authorizer.authorize(attributes)
    if decision.pending is not None:
        decision = await decide(authorizer, attributes)
    if not decision.allowed:
        raise refusal(attributes, decision)


def refusal(attributes: Attributes, decision: Decision) -> errors.StatusError:
    """The 403 for a question that was answered with no."""
    words = forbidden_words(attributes)
    if decision.reason:
        words += f": {decision.reason}"
    return errors.forbidden(attributes.group, attributes.resource, attributes.name, words)
