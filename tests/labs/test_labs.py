"""The user's journeys of the labs, as transcripts against real containers, with upstream's kubectl."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests import transcript
from tests.live import LiveCluster

HERE = Path(__file__).parent
LABS = sorted([*HERE.glob("L*.txt"), *HERE.glob("E*.txt")])


@pytest.mark.parametrize("lab", LABS, ids=[path.stem for path in LABS])
def test_lab(lab: Path, labs: LiveCluster, tmp_path: Path) -> None:
    """Each lab begins with an empty default namespace and has the manifests at hand."""
    for manifest in (HERE / "files").iterdir():
        shutil.copy(manifest, tmp_path)
    try:
        transcript.run(lab, {"KUBECONFIG": str(labs.kubeconfig), "TZ": "UTC"}, tmp_path)
    finally:
        labs.kubectl("delete", "deployments,services,ingresses,pods", "-l", "!provider", "--grace-period=1")
