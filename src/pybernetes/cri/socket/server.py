"""The server of the CRI socket."""

import asyncio
import inspect
import os
import typing
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.cri import errors
from pybernetes.cri.building import BuildService
from pybernetes.cri.library import ImageLibrary
from pybernetes.cri.service import ImageService, RuntimeService
from pybernetes.cri.socket.frames import CANCEL, Kind, Request, frame, read_frame


def argument_types(service: type) -> dict[str, Any]:
    """For each method of a Protocol, the tuple type of its arguments."""
    found: dict[str, Any] = {}
    for name, method in inspect.getmembers(service, inspect.isfunction):
        if not name.startswith("_"):
            hints = typing.get_type_hints(method)
            hints.pop("return", None)
            found[name] = tuple.__class_getitem__(tuple(hints.values()))
    return found


SERVICES = (RuntimeService, ImageService, ImageLibrary, BuildService)
ARGUMENTS = {name: each for service in SERVICES for name, each in argument_types(service).items()}


class _Session:
    """The server's side of one connection."""

    def __init__(self, methods: Mapping[str, Callable[..., Any]], writer: asyncio.StreamWriter, scope: Scope) -> None:
        self._methods = methods
        self._writer = writer
        self._scope = scope
        self._streams: dict[int, asyncio.Task[None]] = {}

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Serve until the client is gone. Calls that have begun are carried out, streams are ended."""
        try:
            while True:
                request = msgspec.msgpack.decode(await read_frame(reader), type=Request)
                self._begin(request)
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            return
        finally:
            for task in self._streams.values():
                task.cancel()
            self._writer.close()

    def _begin(self, request: Request) -> None:
        if request.method == CANCEL:
            if task := self._streams.get(request.id):
                task.cancel()
            return
        task = self._scope.spawn(self._answer(request), request.method)
        method = self._methods.get(request.method)
        if not inspect.iscoroutinefunction(method):
            self._streams[request.id] = task
            task.add_done_callback(lambda _: self._streams.pop(request.id, None))

    async def _answer(self, request: Request) -> None:
        try:
            method = self._methods.get(request.method)
            if method is None:
                raise errors.InvalidError(f"unknown method {request.method!r}")
            arguments = msgspec.msgpack.decode(request.arguments, type=ARGUMENTS[request.method])
            called = method(*arguments)
            if inspect.isawaitable(called):
                await self._send(request.id, Kind.RESULT, await called)
                return
            async with aclosing(called):
                async for item in called:
                    await self._send(request.id, Kind.ITEM, item)
            await self._send(request.id, Kind.END, None)
        except errors.CRIError as error:
            await self._send(request.id, Kind.ERROR, [type(error).__name__, str(error)])
        except msgspec.ValidationError as error:
            await self._send(request.id, Kind.ERROR, ["InvalidError", str(error)])
        except Exception as error:
            await self._send(request.id, Kind.ERROR, ["CRIError", f"{type(error).__name__}: {error}"])
            raise

    async def _send(self, id: int, kind: Kind, value: object) -> None:
        if not self._writer.is_closing():
            self._writer.write(frame((id, kind, value)))
            with suppress(ConnectionError):
                await self._writer.drain()


@asynccontextmanager
async def serve(
    path: Path,
    runtime: RuntimeService,
    images: ImageService,
    library: ImageLibrary | None = None,
    building: BuildService | None = None,
) -> AsyncIterator[None]:
    """Serve the services at `path` (0600) while the block runs."""
    methods: dict[str, Callable[..., Any]] = {}
    for service, protocol in zip((runtime, images, library, building), SERVICES, strict=True):
        if service is not None:
            methods |= {name: getattr(service, name) for name in argument_types(protocol)}
    async with open_scope("cri") as scope:

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _Session(methods, writer, scope).run(reader)

        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(connected, path)
        os.chmod(path, 0o600)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)
