"""The stage: sets the request's user, or ends it with 401."""

import logging
from dataclasses import dataclass

from pybernetes.api import errors
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.stages.authenticate.authenticator import Authenticator, InvalidCredentialError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Finds out who asks; the Authorization header is of no use to anybody behind it."""

    authenticator: Authenticator

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        try:
            user = self.authenticator.authenticate(ctx.request)
        except InvalidCredentialError as error:
            log.info("authentication failed path=%s remote=%s err=%s", ctx.info.path, ctx.request.remote, error)
            raise errors.unauthorized() from error
        if user is None:
            raise errors.unauthorized()
        ctx.user = user
        return await proceed(ctx)
