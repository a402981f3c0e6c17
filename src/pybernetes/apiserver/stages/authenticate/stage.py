"""The stage: sets the request's user, or ends it with 401."""

import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Request
from pybernetes.apiserver.stages.authenticate.authenticator import Authenticator, InvalidCredentialError

log = logging.getLogger(__name__)


class Authenticate(Struct, frozen=True):
    """Finds out who asks; the Authorization header is of no use to anybody behind it."""

    authenticator: Authenticator
    on_refused: Callable[[RequestContext, errors.StatusError, str], None] | None = None
    """Told of a refusal, and of what was tried."""
    inquire: Callable[[Request], Awaitable[bool]] | None = None
    """Asks others about a request that was refused; whether it is worth to look at it again."""

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        try:
            try:
                user = self.authenticator.authenticate(ctx.request)
            except InvalidCredentialError:
                if self.inquire is None or not await self.inquire(ctx.request):
                    raise
                user = self.authenticator.authenticate(ctx.request)
        except InvalidCredentialError as error:
            log.info("authentication failed path=%s remote=%s err=%s", ctx.info.path, ctx.request.remote, error)
            raise self._refusal(ctx) from error
        if user is None:
            raise self._refusal(ctx)
        ctx.user = user
        return await proceed(ctx)

    def _refusal(self, ctx: RequestContext) -> errors.StatusError:
        refusal = errors.unauthorized()
        if self.on_refused is not None:
            header = ctx.request.headers.get("authorization", "").partition(" ")[0].lower()
            certificate = "x509" if ctx.request.peer_certificate is not None else ""
            self.on_refused(ctx, refusal, ", ".join(filter(None, (header, certificate))))
        return refusal
