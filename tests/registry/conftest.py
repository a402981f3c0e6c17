"""The registry in the test's own event loop, over a content store that is a directory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.idle import Idle
from pybernetes.aio.web import serve_until_idle
from pybernetes.registry.app import make_app
from pybernetes.registry.service import Service
from pybernetes.registry.storage import Storage
from pybernetes.registry.uploads import Uploads


@dataclass
class Served:
    """A running registry, what it told the cluster, and a client of it."""

    host: str
    storage: Storage
    shared: Path
    client: aiohttp.ClientSession
    images: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, **options: object) -> aiohttp.client._RequestContextManager:
        """A request; a path without a host is one of the registry's."""
        return self.client.request(method, path, **options)  # type: ignore[arg-type]

    async def skopeo(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "skopeo", "--insecure-policy", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        return out.decode()


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Served]:
    shared = tmp_path / "content"
    shared.mkdir()
    storage = Storage(tmp_path / "registry", shared)
    storage.start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        async with aiohttp.ClientSession(f"http://{host}") as client:
            served = Served(host, storage, shared, client)

            async def add(name: str, digest: str) -> None:
                served.images[name] = digest

            async def forget(name: str) -> None:
                del served.images[name]

            idle = Idle(3600, SystemClock())
            app = make_app(Service(storage, Uploads(storage), add, forget), idle)
            server = asyncio.create_task(serve_until_idle(app, [listener], idle))
            yield served
            server.cancel()
            await asyncio.wait([server])
