"""What a runtime finds that was not left whole: it takes away what it cannot use, says so, and serves the rest."""

from pathlib import Path

import pytest

from pybernetes.cri import types as t

from .conftest import OpenLab


@pytest.fixture
def oci_runtime() -> str:
    return "builtin"


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\x91"])
async def test_records_that_a_power_cut_has_cut_off(open_lab: OpenLab, tmp_path: Path, content: bytes) -> None:
    async with open_lab() as lab:
        broken, whole = await lab.run_pod(), await lab.run_pod()
        container = await lab.runtime.create_container(whole.id, lab.container("true"), whole.config)
    for path in (f"sandboxes/{broken.id}/record", f"containers/{container}/record"):
        (tmp_path / "runtime" / path).write_bytes(content)
    async with open_lab() as lab:
        sandboxes = await lab.runtime.list_pod_sandbox()
        assert [(each.id, each.state) for each in sandboxes] == [(whole.id, t.PodSandboxState.SANDBOX_READY)]
        assert await lab.runtime.list_containers() == []
        assert not (tmp_path / "runtime/sandboxes" / broken.id).exists()
        assert not (tmp_path / "runtime/containers" / container).exists()
        await lab.runtime.remove_pod_sandbox(whole.id)
