"""Answers that are a stream of JSON messages, one a line, as docker's clients show them while they come."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from pybernetes.cri.door import short
from pybernetes.cri.errors import CRIError
from pybernetes.cri.library import ImageStep
from pybernetes.docker.errors import DockerError, from_cri


class Messages:
    """The stream of one answer. A client that went away is noticed by who writes next."""

    def __init__(self, response: web.StreamResponse) -> None:
        self._response = response

    async def send(self, **message: object) -> None:
        await self._response.write(json.dumps(message).encode() + b"\r\n")

    async def text(self, text: str) -> None:
        """A line of a build or a load."""
        await self.send(stream=text)

    async def step(self, step: ImageStep, doing: str, done: str) -> None:
        """How far a blob is; clients draw the bar."""
        id = short(step.digest)
        if step.done >= step.total:
            await self.send(status=done, progressDetail={}, id=id)
        else:
            await self.send(status=doing, progressDetail={"current": step.done, "total": step.total}, id=id)

    async def error(self, message: str, code: int = 0) -> None:
        """What has gone wrong after the answer began: the client prints it and fails."""
        detail: dict[str, object] = {"message": message, **({"code": code} if code else {})}
        await self.send(errorDetail=detail, error=message)


async def streamed(request: web.Request, work: Callable[[Messages], Awaitable[None]]) -> web.StreamResponse:
    """The answer that `work` writes; what it raises becomes the last message."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    messages = Messages(response)
    try:
        await work(messages)
    except CRIError as error:
        await messages.error(from_cri(error).message)
    except DockerError as error:
        await messages.error(error.message)
    except ConnectionError:  # the client has gone
        return response
    with suppress(ConnectionError):
        await response.write_eof()
    return response
