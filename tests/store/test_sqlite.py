"""The SQLite backend: the contract, and what only it must hold (durability, corruption, one owner)."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybernetes.store.backend import Backend, CompactedError, CorruptError, UnavailableError
from pybernetes.store.sqlite import SQLiteBackend, open_store, watch
from pybernetes.store.testsuite import THINGS, A, Contract, next_events

WRITER = """
import asyncio, sys
from pybernetes.store.sqlite import open_store

async def main():
    store = await open_store(sys.argv[1])
    async def write(writer):
        for number in range(100_000):
            key = b"/registry/things/%d-%d" % (writer, number)
            await store.create(key, b"x" * 200)
            print(key.decode(), flush=True)
    await asyncio.gather(*(write(writer) for writer in range(4)))

asyncio.run(main())
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteBackend]:
    store = await open_store(tmp_path / "store.db")
    yield store
    await store.close()


class TestContract(Contract):
    @pytest.fixture
    async def backend(self, store: SQLiteBackend) -> Backend:
        return store


async def test_acknowledged_writes_survive_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        acknowledged = {writer.stdout.readline().strip() for _ in range(500)}
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged |= {line.strip() for line in writer.stdout if line.endswith(b"\n")}
    store = await open_store(path)
    kept = {item.key for item in (await store.range(THINGS)).items}
    revision = await store.current_revision()
    await store.close()
    assert acknowledged <= kept
    assert revision == 1 + len(kept)


async def test_state_survives_reopening(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "store.db")
    created = await store.create(A, b"1")
    deleted = await store.delete(A)
    await store.compact(deleted.revision)
    await store.close()
    store = await open_store(tmp_path / "store.db")
    assert await store.current_revision() == deleted.revision
    with pytest.raises(CompactedError):
        await store.range(THINGS, revision=created.revision)
    await store.close()


async def test_expiry_survives_reopening(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "store.db")
    created = await store.create(A, b"1", ttl=1)
    await store.close()
    store = await open_store(tmp_path / "store.db")
    async with store.watch(THINGS, created.revision) as watcher:
        (event,) = await next_events(watcher, 1)
    assert event.value is None
    await store.close()


async def test_flipped_byte_is_refused_by_name(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "store.db")
    created = await store.create(A, b"precious")
    await store.close()
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("UPDATE log SET value = ? WHERE revision = ?", (b"preciouS", created.revision))
    db.close()
    store = await open_store(tmp_path / "store.db")
    with pytest.raises(CorruptError, match="checksum mismatch"):
        await store.get(A)
    with pytest.raises(CorruptError):
        await store.range(THINGS)
    await store.close()


async def test_garbage_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(CorruptError):
        await open_store(tmp_path / "store.db")


async def test_second_owner_is_refused(store: SQLiteBackend, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="in use"):
        await open_store(tmp_path / "store.db")


async def test_full_disk_refuses_the_write_and_keeps_serving(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "store.db")
    created = await store.create(A, b"1")
    store._write_db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(UnavailableError, match="full"):
        await store.create(b"/registry/things/big", b"x" * 1_000_000)
    found, revision = await store.get(A)
    assert found is not None
    assert revision == created.revision
    await store.close()


async def test_slow_watcher_is_dropped(store: SQLiteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BUFFER", 10)
    async with store.watch(THINGS, await store.current_revision()) as watcher:
        for number in range(11):
            await store.create(THINGS + str(number).encode(), b"")
        with pytest.raises(CompactedError):
            await next_events(watcher, 11)


async def test_closed_store_refuses(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "store.db")
    await store.close()
    await store.close()
    with pytest.raises(UnavailableError):
        await store.create(A, b"1")
    with pytest.raises(UnavailableError):
        await store.get(A)
