"""Many pods at once: none fails, and nothing is left of them."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from pybernetes.cri.testsuite import Lab

from .conftest import BRIDGE


@pytest.fixture
def oci_runtime() -> str:
    return "builtin"


async def life(lab: Lab) -> None:
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sleep", "1000"))
    answer = await lab.runtime.exec_sync(container, ["cat", "/etc/hostname"], 20)
    assert answer.stdout.decode().strip() == pod.config.hostname
    assert (await pod.run(lab.container("sh", "-c", "exit 3", log_path="second.log"))).exit_code == 3
    await lab.runtime.stop_container(container, 0)
    await lab.runtime.remove_pod_sandbox(pod.id)


async def test_lives_of_many_pods_at_once(lab: Lab, tmp_path: Path, cgroup: str) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(life(lab))
    root = tmp_path / "runtime"
    for directory in ("containers", "sandboxes", "network/addresses"):
        assert list((root / directory).iterdir()) == []
    assert str(root) not in Path("/proc/self/mountinfo").read_text()
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    assert f"{BRIDGE.name}." not in links
    groups = {path.name for path in Path("/sys/fs/cgroup").glob(f"*/{cgroup.strip('/')}/*") if path.is_dir()}
    assert groups == {"monitors"}
