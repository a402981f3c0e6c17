"""The stage: sets the request's user, or ends it with 401."""

import logging
from collections.abc import Awaitable, Callable
from time import perf_counter

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Request
from pybernetes.apiserver.stages.authenticate.authenticator import Authenticator, InvalidCredentialError
from pybernetes.apiserver.stages.authenticate.bearer import has_second_space
from pybernetes.apiserver.stages.authenticate.metrics import AuthenticationMetrics

log = logging.getLogger(__name__)


class Authenticate(Struct, frozen=True):
    """Finds out who asks; the Authorization header is of no use to anybody behind it."""

    authenticator: Authenticator
    on_refused: Callable[[RequestContext, errors.StatusError, str], None] | None = None
    """Told of a refusal, and of what was tried."""
    inquire: Callable[[Request], Awaitable[bool]] | None = None
    """Asks others about a request that was refused; whether it is worth to look at it again."""

    metrics: AuthenticationMetrics | None = None

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        began = perf_counter()
        try:
            try:
                user = self.authenticator.authenticate(ctx.request)
            except InvalidCredentialError:
                if self.inquire is None or not await self.inquire(ctx.request):
                    raise
                user = self.authenticator.authenticate(ctx.request)
        except InvalidCredentialError as error:
            log.info("authentication failed path=%s remote=%s err=%s", ctx.info.path, ctx.request.remote, error)
            self._count("error", began)
            raise self._refusal(ctx) from error
        if user is None:
            self._count("failure", began)
            raise self._refusal(ctx)
        self._count("success", began, user.name)
        ctx.user = user
        if has_second_space(ctx.request):
            ctx.warn("the provided Authorization header contains extra space before the bearer token, and is ignored")
        return await proceed(ctx)

    def _count(self, result: str, began: float, user: str = "") -> None:
        if self.metrics is not None:
            self.metrics.attempted(result, perf_counter() - began, user)

    def _refusal(self, ctx: RequestContext) -> errors.StatusError:
        refusal = errors.unauthorized()
        if self.on_refused is not None:
            header = ctx.request.headers.get("authorization", "").partition(" ")[0].lower()
            certificate = "x509" if ctx.request.peer_certificate is not None else ""
            self.on_refused(ctx, refusal, ", ".join(filter(None, (header, certificate))))
        return refusal
