"""The user's journeys of the labs, as transcripts against real containers, with upstream's kubectl."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests import debian, transcript
from tests.live import P8S, LiveCluster
from tests.registries import push

pytestmark = pytest.mark.live

DOCKER = "/usr/local/lib/pybernetes-tests"
HERE = Path(__file__).parent
LABS = sorted([*HERE.glob("L*.txt"), *HERE.glob("E*.txt")])
EXAMPLE = HERE.parents[1] / "examples" / "hostname"


ON_THREE = {"L3", "L4", "L5", "L6", "L8", "L9", "L11", "N1", "N4"}
"""Labs that are to look the same on three nodes, and those about nodes."""
CASES = [pytest.param(lab, "labs", id=lab.stem) for lab in LABS] + [
    pytest.param(lab, "labs_of_three", id=f"{lab.stem}-on-three")
    for lab in [*LABS, HERE / "N1_nodes.txt", HERE / "N4_policies.txt"]
    if lab.stem.split("_")[0] in ON_THREE
]
CASES += [
    pytest.param(HERE / "N2_dead_node.txt", "labs_that_die", id="N2_dead_node"),
    pytest.param(HERE / "N3_full_disk.txt", "labs_that_fill", id="N3_full_disk"),
]


def variables(cluster: LiveCluster) -> dict[str, str]:
    """p8s and docker's client are at hand; `mirror` is the registry that stands for docker.io."""
    return {
        "cluster": cluster.name,
        "KUBECONFIG": str(cluster.kubeconfig),
        "TZ": "UTC",
        "PATH": os.pathsep.join((str(Path(P8S).parent), DOCKER, os.environ["PATH"])),
        "mirror": cluster.mirror.removeprefix("http://"),
    }


@pytest.mark.parametrize(("lab", "where"), CASES)
def test_lab(lab: Path, where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Each lab begins with an empty default namespace and has the manifests and the example at hand."""
    cluster: LiveCluster = request.getfixturevalue(where)
    for manifest in (HERE / "files").iterdir():
        shutil.copy(manifest, tmp_path)
    if lab.stem.startswith("L7"):
        shutil.copytree(EXAMPLE, tmp_path / "hostname")
        push(debian.flask(), request.getfixturevalue("mirror"), "library/flask-base:latest")
    try:
        transcript.run(lab, variables(cluster), tmp_path)
    finally:
        cluster.kubectl(
            "delete", "deployments,services,ingresses,pods", "-l", "!provider", "--grace-period=1", "--timeout=30s"
        )
