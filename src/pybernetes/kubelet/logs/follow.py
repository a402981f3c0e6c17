"""A log as a stream: what is there, and with `follow` what is written until the container ends."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from pybernetes.aio.inotify import ENTRIES, MODIFY, Inotify
from pybernetes.aio.threads import Worker
from pybernetes.kubelet.logs.reader import LogReader, Selection


async def read_log(path: Path, selection: Selection, threads: Worker) -> AsyncGenerator[bytes, None]:
    """Pieces of text to the end of what is written now."""
    reader = await threads.run(LogReader, path, selection)
    try:
        while text := await threads.run(reader.read):
            yield text
    finally:
        reader.close()


async def follow_log(
    path: Path, selection: Selection, threads: Worker, changes: Inotify, has_ended: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    """Pieces of text as they are written, until the container has ended and its log is complete.

    Who knows of the end calls `changes.wake()`.
    """
    reader = await threads.run(LogReader, path, selection)
    try:
        changes.watch(path.parent, ENTRIES | MODIFY)
        while not reader.is_full:
            is_last = has_ended()
            while text := await threads.run(reader.read):
                yield text
            if is_last:
                return
            await changes.wait()
    finally:
        reader.close()
