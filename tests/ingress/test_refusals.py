"""What the proxy answers by itself, and what it refuses."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from tests.ingress.world import LAST, World, echo, exchange, serving

from pybernetes.ingress.annotations import Options
from pybernetes.ingress.decide import Decision, Redirect, Refuse


@pytest.mark.parametrize(
    ("decision", "status", "text"),
    [
        (Refuse(503, "service default/web has no endpoints that are ready"), b"503", b"no endpoints that are ready"),
        (Refuse(404, "no Ingress"), b"404", b"no Ingress"),
        (Redirect("https://x/"), b"308", b"Location: https://x/"),
    ],
)
async def test_our_own_answers_leave_the_connection_usable(
    world: World, decision: Decision, status: bytes, text: bytes
) -> None:
    world.decide = lambda question: decision
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    said = await exchange(world, request * 2 + LAST)
    assert said.count(b"HTTP/1.1 " + status) == 3
    assert text in said


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"501"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_what_is_no_request_is_refused(world: World, request_: bytes, status: bytes) -> None:
    said = await exchange(world, request_)
    assert said.startswith(b"HTTP/1.1 " + status)
    assert said.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused(world: World, chunked: bool) -> None:
    async with serving(echo) as target:
        world.targets, world.options = [target], Options(max_body=10)
        framing = (
            b"Transfer-Encoding: chunked\r\n\r\n14\r\n%b\r\n0\r\n\r\n" if chunked else b"Content-Length: 20\r\n\r\n%b"
        )
        said = await exchange(
            world, b"POST / HTTP/1.1\r\nHost: x\r\n" + framing % (b"x" * 20) + LAST.replace(b"/last", b"/")
        )
    assert said.startswith(b"HTTP/1.1 413 ")


async def test_many_refusals_behind_an_answer(world: World) -> None:
    """One after the other, however many wait."""
    go_on = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        await go_on.wait()
        return web.Response(text="first")

    async with serving(wait) as target:
        forward = world.decide
        world.targets = [target]
        world.decide = lambda question: forward(question) if question.target == "/first" else Refuse(404, "nowhere")
        asking = asyncio.ensure_future(
            exchange(
                world, b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2000 + LAST
            )
        )
        await asyncio.wait([asking], timeout=0.2)
        go_on.set()
        said = await asyncio.wait_for(asking, 20)
    assert (said.count(b"first"), said.count(b"HTTP/1.1 404")) == (1, 2001)
