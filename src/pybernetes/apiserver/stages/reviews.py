"""Questions to servers that a kubeconfig names: an object is posted to exactly its URL, the same object comes back."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.rest import Client, connect

TRIES: Final = 5
AGAIN: Final = frozenset((429, 500, 504))
"""Answers after which it is worth to ask again."""


class ReviewError(Exception):
    """No usable answer; `result` is what metrics call it: `timeout` or `error`."""

    def __init__(self, text: str, result: str = "error") -> None:
        super().__init__(text)
        self.result = result


class ReviewClient:
    """One webhook that reviews."""

    def __init__(self, kubeconfig: str, seconds: float, clock: Clock) -> None:
        """Raises ConfigurationError."""
        try:
            self._config = Config.from_kubeconfig(kubeconfig)
        except ConfigError as error:
            raise ConfigurationError(str(error)) from error
        self._seconds = seconds
        self._clock = clock

    async def ask(self, review: Tree) -> Tree:
        """The status of the answer; a server in trouble is asked again after a while. Raises ReviewError."""
        backoff = Backoff(initial=0.5, limit=10.0, factor=1.5, jitter=0.2)
        async with connect(self._config, user_agent="kube-apiserver") as client:
            for left in reversed(range(TRIES)):
                try:
                    return await self._ask(client, review)
                except StatusError as error:
                    if not left or not (error.code in AGAIN or error.retry_after_seconds):
                        raise ReviewError(str(error), "timeout" if error.code == 504 else "error") from error
                await self._clock.sleep(backoff.next())
        raise AssertionError("unreachable")

    async def _ask(self, client: Client, review: Tree) -> Tree:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await client.request("POST", "", body=msgspec.json.encode(review))
            told: dict[str, Any] = msgspec.json.decode(answer.body, type=dict[str, Any])
        except TimeoutError as error:
            raise ReviewError(f"no answer within {self._seconds:g}s", "timeout") from error
        except ValueError as error:
            raise ReviewError(f"the answer is no JSON: {error}") from error
        if told.get("kind", review["kind"]) != review["kind"] or not isinstance(status := told.get("status"), dict):
            raise ReviewError(f"the answer is no {review['kind']} with a status")
        return status
