"""Tokens of issuers elsewhere, which are other ones once the configuration's file has changed."""

from __future__ import annotations

from pybernetes.aio.clock import Clock
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.reload import Reload
from pybernetes.apiserver.stages.authenticate.jwt.authenticator import JWTTokens
from pybernetes.apiserver.stages.authenticate.jwt.config import parse
from pybernetes.apiserver.stages.authenticate.jwt.kinds import Authentication
from pybernetes.telemetry.metrics import Registry


def make_tokens(
    first: Authentication, options: Options, clock: Clock, metrics: Registry
) -> tuple[JWTTokens, Reload | None]:
    """What takes the tokens, and what follows the file where there is one."""
    tokens = JWTTokens(first.jwt, clock)
    if not options.authentication_config:
        return tokens, None

    async def use(text: str) -> None:
        await tokens.use(parse(text, options.service_account_issuer, first).jwt)

    return tokens, Reload("authentication", options.authentication_config, use, options, clock, metrics)
