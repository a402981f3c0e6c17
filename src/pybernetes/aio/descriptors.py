"""Waits for descriptors that are no asyncio streams: pipes, terminals, sockets of our own protocols."""

import asyncio


async def wait_readable(fd: int) -> None:
    """Until a read of `fd` would not block. Nobody else may wait for the same meanwhile."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


async def wait_writable(fd: int) -> None:
    """Until a write to `fd` would not block. Nobody else may wait for the same meanwhile."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(fd)
