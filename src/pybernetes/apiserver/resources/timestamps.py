"""The current time as objects hold it."""

from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry.metadata import timestamp


def now(ctx: RequestContext) -> str:
    """RFC 3339 with seconds."""
    return timestamp(ctx.services.clock.now())
