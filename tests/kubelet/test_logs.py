"""Reading logs in CRI format."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pybernetes.aio.inotify import Inotify
from pybernetes.aio.threads import Worker
from pybernetes.kubelet.logs.follow import follow_log, read_log
from pybernetes.kubelet.logs.reader import Selection
from pybernetes.kubelet.logs.tail import last_lines

from .world import InlineWorker


def line(second: int, text: str, stream: str = "stdout", tag: str = "F") -> str:
    return f"2026-01-01T00:00:{second:02}.000000001Z {stream} {tag} {text}\n"


async def read(path: Path, **selection: object) -> str:
    return b"".join([piece async for piece in read_log(path, Selection(**selection), InlineWorker())]).decode()  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    path.write_text(
        line(1, "one") + line(2, "two ", tag="P") + line(2, "parts") + line(3, "wrong", "stderr") + line(4, "")
    )
    return path


async def test_lines_and_their_parts(log: Path) -> None:
    assert await read(log) == "one\ntwo parts\nwrong\n\n"
    assert await read(log, stream="Stderr") == "wrong\n"
    assert await read(log, limit_bytes=5) == "one\nt"
    assert (await read(log, timestamps=True)).splitlines()[1] == "2026-01-01T00:00:02.000000001Z two parts"
    assert await read(log, since=datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC)) == "wrong\n\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, ""), (1, "\n"), (2, "wrong\n\n"), (3, "two parts\nwrong\n\n"), (9, "one\ntwo parts\nwrong\n\n")],
)
async def test_tail(log: Path, lines: int, expected: str) -> None:
    assert await read(log, tail_lines=lines) == expected


async def test_rotated_parts_belong_to_the_log(log: Path) -> None:
    log.rename(log.with_name("0.log.20260101-000004"))
    log.write_text(line(5, "five"))
    assert await read(log) == "one\ntwo parts\nwrong\n\nfive\n"
    assert await read(log, tail_lines=3) == "wrong\n\nfive\n"


def test_the_end_of_a_log_as_a_message(log: Path) -> None:
    assert last_lines(log, 2, 100) == "wrong\n\n"
    assert last_lines(log, 80, 7) == "wrong\n\n"
    assert last_lines(log.with_name("none"), 1, 1) == ""


async def test_following_sees_growth_and_rotation_until_the_container_ends(log: Path) -> None:
    ended, threads = asyncio.Event(), Worker("logs")
    changes = Inotify()
    pieces: list[bytes] = []

    async def collect() -> None:
        with changes:
            async for piece in follow_log(log, Selection(tail_lines=1), threads, changes, ended.is_set):
                pieces.append(piece)

    async def until(text: str) -> None:
        while text not in b"".join(pieces).decode():
            await asyncio.sleep(0.005)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(collect())
        await until("\n")
        with log.open("a") as file:
            file.write(line(5, "five"))
        await until("five")
        log.rename(log.with_name("0.log.20260101-000005"))
        log.write_text(line(6, "six"))
        await until("six")
        with log.open("a") as file:
            file.write(line(7, "last"))
        ended.set()
        changes.wake()
    await threads.close()
    assert b"".join(pieces).decode() == "\nfive\nsix\nlast\n"
