"""The runtime killed in the middle of a step: the build says so, and the next runtime finds nothing left of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.images import busybox
from tests.processes import command_lines

from pybernetes.builder.build import build
from pybernetes.builder.progress import Event, StepOutput
from pybernetes.builder.request import BuildRequest
from pybernetes.cri import socket as cri_socket
from pybernetes.cri.errors import CRIError, UnavailableError
from pybernetes.cri.socket import Client

MARK = "sleep 5432"


@asynccontextmanager
async def runtime(root: Path, cgroup: str) -> AsyncIterator[tuple[Client, asyncio.subprocess.Process]]:
    """A runtime as a process of its own, without a network, and a client of it."""
    socket = root / "runtime.sock"
    socket.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pybernetes.runtime", f"--root={root}", f"--socket={socket}", f"--cgroup={cgroup}", f"--streaming={root}/s.sock"]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with cri_socket.connect(socket) as client:
            await answering(client)
            yield client, process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answering(client: Client) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await client.version()
                return
            except CRIError:
                await asyncio.sleep(0.05)


async def test_the_runtime_is_killed(tmp_path: Path, cgroup: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    began = asyncio.Event()

    def report(event: Event) -> None:
        if isinstance(event, StepOutput):
            began.set()

    text = f"FROM busybox\nRUN --mount=type=secret,id=s --mount=type=cache,target=/c echo began; {MARK}\nRUN true"
    async with runtime(root, cgroup) as (client, process):
        await client.load_images(str(busybox().write_archive(tmp_path / "busybox.tar", "busybox:latest")))
        running = asyncio.ensure_future(build(BuildRequest(text=text, secrets={"s": b"x"}), client, report))
        await asyncio.wait_for(began.wait(), 30)
        process.kill()
        with pytest.raises(UnavailableError, match="connection lost"):
            await running
        await asyncio.wait_for(gone(), 30)
    async with runtime(root, cgroup) as (client, _):
        assert [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(root) in line] == []
        assert list((root / "sandboxes").iterdir()) == []
        assert list((root / "images/snapshots/containers").iterdir()) == []
        assert list((root / "images/snapshots/staging").iterdir()) == []
        image = await build(BuildRequest(text=text.replace(MARK, "true"), secrets={"s": b"x"}), client, report)
        assert image.id.startswith("sha256:")


async def gone() -> None:
    """The step's process ends with the runtime: nobody waits for it any more."""
    while any(MARK.encode() in line for pid, line in command_lines().items() if pid != os.getpid()):
        await asyncio.sleep(0.05)
