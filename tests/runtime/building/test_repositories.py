"""git for ADD: what is left of it when nobody waits any more."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from tests.processes import command_lines

from pybernetes.cri.building import RemoteRepository
from pybernetes.runtime.building.repositories import check_out


def at_work(url: str) -> bool:
    """Whether a program is there that was started with the URL."""
    return any(url.encode() in words for words in command_lines().values())


async def test_nothing_is_left_of_a_fetch_that_is_given_up(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        with suppress(asyncio.CancelledError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/site.git"
        fetch = asyncio.create_task(check_out(RemoteRepository(url), tmp_path))
        await asked.wait()
        assert at_work(url)
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        async with asyncio.timeout(10):
            while at_work(url):
                await asyncio.sleep(0.01)
