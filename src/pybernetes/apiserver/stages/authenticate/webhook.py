"""Tokens of whose users somebody elsewhere knows (`--authentication-token-webhook-config-file`): a TokenReview is posted."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections import OrderedDict
from typing import Final
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.field import quote
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.stages.authenticate.authenticator import InvalidCredentialError
from pybernetes.apiserver.stages.reviews import ReviewClient, ReviewError
from pybernetes.apiserver.user import UserInfo

log = logging.getLogger(__name__)
SECONDS: Final = 30.0
REMEMBERED: Final = 32768
MOMENT: Final = 1.0
"""Seconds for which an answer is known whatever the flag says: the request that asked for it is looked at again."""
VERSIONS: Final = ("v1", "v1beta1")


class _User(msgspec.Struct):
    username: str = ""
    uid: str = ""
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


class _Status(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: list[str] | None = None
    error: str = ""


class _Answer(Struct, frozen=True):
    user: UserInfo | None
    error: str
    until: float

    @property
    def is_news(self) -> bool:
        """Whether it says more than that nobody knows the token."""
        return self.user is not None or bool(self.error)


class WebhookTokens:
    """`RemoteTokens` of one webhook. Tokens themselves are not kept: answers are known by a keyed digest of them."""

    def __init__(self, options: Options, audiences: tuple[str, ...], clock: Clock) -> None:
        """Raises ConfigurationError."""
        self._version = options.authentication_token_webhook_version
        if self._version not in VERSIONS:
            words = f'unsupported authentication webhook version {quote(self._version)}, supported versions are "v1", "v1beta1"'  # fmt: skip
            raise ConfigurationError(words)
        self._client = ReviewClient(options.authentication_token_webhook_config_file, SECONDS, clock)
        self._seconds = options.authentication_token_webhook_cache_ttl
        self._audiences = audiences
        self._clock = clock
        self._secret = os.urandom(32)
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def authenticate_token(self, token: str) -> UserInfo | None:
        answer = self._answers.get(self._digest(token))
        if answer is None or answer.until < self._clock.monotonic():
            return None
        if answer.error:
            raise InvalidCredentialError(answer.error)
        return answer.user

    async def inquire(self, token: str) -> bool:
        digest = self._digest(token)
        lock = self._locks.setdefault(digest, asyncio.Lock())
        async with lock:  # requests with one token ask once
            answer = self._answers.get(digest)
            if answer is not None and answer.until >= self._clock.monotonic():
                return answer.is_news
            try:
                user, error = await self._review(token)
            except (ReviewError, msgspec.ValidationError) as failed:
                log.error("token webhook failed error=%s", failed)
                return False
            answer = _Answer(user, error, self._clock.monotonic() + max(self._seconds, MOMENT))
            self._answers[digest] = answer
            self._answers.move_to_end(digest)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
            return answer.is_news

    async def _review(self, token: str) -> tuple[UserInfo | None, str]:
        """The user, or none and why. Raises ReviewError, ValidationError."""
        review = {
            "kind": "TokenReview",
            "apiVersion": f"authentication.k8s.io/{self._version}",
            "metadata": {"creationTimestamp": None},
            "spec": {"token": token, "audiences": list(self._audiences)},
            "status": {"user": {}},
        }
        status = msgspec.convert(await self._client.ask(review), _Status)
        if status.audiences and not set(status.audiences) & set(self._audiences):
            return None, ""
        if not status.authenticated:
            return None, status.error
        extra = {key: tuple(values) for key, values in (status.user.extra or {}).items()}
        return UserInfo(status.user.username, status.user.uid, tuple(status.user.groups or ()), extra), ""

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._secret, token.encode("utf-8", "surrogateescape"), "sha256")
