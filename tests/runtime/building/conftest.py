"""Builds over a real runtime on the test's own root, cgroup and network, with busybox as the base; nothing may be left."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.runtime.service.conftest import BRIDGE, IMAGE, _isolated, cgroup, image_root, images  # noqa: F401

from pybernetes.cri.building import Copy, Exited, Filesystem, Operation, Output, Result, Run, Source, Step
from pybernetes.runtime.building.door import BuildDoor, open_door
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.network.bridge import remove_bridge
from pybernetes.runtime.options import Options
from pybernetes.runtime.service.runtime import Runtime, open_runtime


@dataclass
class Bench:
    """A door with short ways to use it. `context` is an empty directory, `base` busybox."""

    door: BuildDoor
    runtime: Runtime
    context: Path
    base: Filesystem
    root: Path
    keys: int = field(default=0)

    def key(self) -> str:
        self.keys += 1
        return f"{self.keys:064x}"

    async def do(self, operation: Operation, parent: Filesystem | None = None) -> tuple[Filesystem | Exited, str]:
        """What came of one step, and what it printed."""
        printed, ended = b"", None
        step = Step(self.base if parent is None else parent, operation, self.key())
        async for event in self.door.run_step(step):
            if isinstance(event, Output):
                printed += event.data
            else:
                ended = event.filesystem if isinstance(event, Result) else event
        assert ended is not None
        return ended, printed.decode()

    @staticmethod
    def run(*args: str, **more: object) -> Run:
        return Run(args, ("PATH=/bin:/usr/bin",), **more)  # type: ignore[arg-type]

    async def sh(
        self, script: str, parent: Filesystem | None = None, **more: object
    ) -> tuple[Filesystem | Exited, str]:
        return await self.do(self.run("/bin/sh", "-c", script, **more), parent)

    async def copied(self, *patterns: str, target: str = "/out/", show: str = "", **more: object) -> str:
        """Copy out of the context, and print what `show` prints of the result."""
        operation = Copy(Source(str(self.context)), patterns, target, **more)  # type: ignore[arg-type]
        made, _ = await self.do(operation)
        assert isinstance(made, Filesystem)
        return (await self.sh(show or "cd /out; find . | sort", made))[1]


@pytest.fixture
def oci_runtime() -> str:
    """What executes steps; tests may choose another."""
    return "builtin"


@pytest.fixture
async def bench(images: Images, tmp_path: Path, cgroup: str, oci_runtime: str) -> AsyncIterator[Bench]:  # noqa: F811
    context = tmp_path / "context"
    context.mkdir()
    options = Options(
        root=tmp_path / "runtime",
        oci_runtime=oci_runtime,
        bridge=BRIDGE,
        cgroup=cgroup,
        streaming=str(tmp_path / "s.sock"),
    )
    async with open_runtime(options, images) as runtime, open_door(runtime.core, images) as door:
        base = await door.find_image(IMAGE, False)
        yield Bench(door, runtime, context, base.filesystem, tmp_path)
    remove_bridge(BRIDGE)
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(tmp_path) in line]
    assert mounts == []
    assert images.snapshots.containers() == []
    assert list((tmp_path / "runtime/sandboxes").iterdir()) == []
    assert list(images.workshop.staging.iterdir()) == []
