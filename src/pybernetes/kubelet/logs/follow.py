"""A log as a stream: what is there, and with `follow` what is written until the container ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from pybernetes.aio.threads import Worker
from pybernetes.kubelet.inotify import ENTRIES, MODIFY, Inotify
from pybernetes.kubelet.logs.reader import LogReader, Selection


async def read_log(path: Path, selection: Selection, threads: Worker) -> AsyncIterator[bytes]:
    """Pieces of text to the end of what is written now."""
    reader = await threads.run(LogReader, path, selection)
    try:
        while text := await threads.run(reader.read):
            yield text
    finally:
        reader.close()


async def follow_log(
    path: Path, selection: Selection, threads: Worker, ended: Callable[[], Awaitable[None]]
) -> AsyncIterator[bytes]:
    """Pieces of text as they are written. `ended()` returns when the container has ended and its log is complete."""
    reader = await threads.run(LogReader, path, selection)
    try:
        async with asyncio.TaskGroup() as group:
            end = group.create_task(_wait(ended))
            with Inotify() as changes:
                changes.watch(path.parent, ENTRIES | MODIFY)
                async for text in _follow(reader, changes, threads, end):
                    yield text
            end.cancel()
    finally:
        reader.close()


async def _wait(ended: Callable[[], Awaitable[None]]) -> None:
    await ended()


async def _follow(
    reader: LogReader, changes: Inotify, threads: Worker, end: "asyncio.Task[None]"
) -> AsyncIterator[bytes]:
    while not reader.is_full:
        is_last = end.done()
        while text := await threads.run(reader.read):
            yield text
        if is_last:
            return
        change = asyncio.ensure_future(changes.wait())
        try:
            await asyncio.wait((change, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()
            with suppress(asyncio.CancelledError):
                await change
