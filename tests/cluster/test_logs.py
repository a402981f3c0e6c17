"""Following logs: whole lines, through rotation, woken by the file system."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pybernetes.cluster.logs import Tail, follow, last_lines


def test_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    assert last_lines(path, 3) == []
    path.write_text("1\n2\n3\n4\n")
    assert last_lines(path, 2) == ["3", "4"]


def test_tail_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    tail = Tail(path)
    with path.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert list(tail.lines()) == ["one"]
        file.write("o\n")
        file.flush()
    assert list(tail.lines()) == ["two"]
    tail.close()


def test_tail_of_a_log_that_is_put_aside(tmp_path: Path) -> None:
    """What was written before, and what is written to the new one."""
    path = tmp_path / "a.log"
    path.write_text("")
    tail = Tail(path)
    path.write_text("last\n")
    path.replace(tmp_path / "a.log.1")
    path.write_text("first\n")
    assert list(tail.lines()) == ["last", "first"]
    tail.close()


async def test_follow(tmp_path: Path) -> None:
    """Of a log that is there, and of one that comes."""
    seen: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    first.write_text("old\n")
    following = asyncio.ensure_future(follow([first, second], lambda path, line: seen.put_nowait((path.stem, line))))
    await asyncio.sleep(0)
    with first.open("a") as file:
        file.write("new\n")
    assert await asyncio.wait_for(seen.get(), 10) == ("first", "new")
    second.write_text("came\n")
    assert await asyncio.wait_for(seen.get(), 10) == ("second", "came")
    following.cancel()
