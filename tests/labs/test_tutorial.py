"""The README's labs, run as they stand there; the Korean README shows the same screens."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests import debian, tutorial
from tests.live import P8S, LiveCluster
from tests.registries import push

ROOT = Path(__file__).parents[2]
README, KOREAN = (ROOT / name for name in ("README.md", "README.ko.md"))
CHAPTERS = list(tutorial.chapters(README.read_text()))
PRELUDE = r"""
sudo() { "$@"; }
p8s() {
    if [ "$1 $2" = "image build" ]; then
        # Where the tests run there is no network to install from: the base has what the Dockerfile wants to install.
        set -- "$@" --build-arg BASE=flask-base --build-arg VENV_OPTIONS=--system-site-packages
    fi
    command "$P8S" "$@" --profile "$PROFILE"
}
"""


@pytest.mark.live
@pytest.mark.timeout(600)
def test_tutorial(labs: LiveCluster, tmp_path: Path) -> None:
    """One chapter after the other, as somebody would go through it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    push(debian.flask(), labs.mirror, "library/flask-base:latest")
    own = {
        "KUBECONFIG": str(labs.kubeconfig), "P8S": P8S, "PROFILE": labs.name,
        "PATH": f"{Path(P8S).parent}:{os.environ['PATH']}", "TZ": "UTC",
    }  # fmt: skip
    shell = tutorial.Shell(own, tmp_path / "examples" / "labs", PRELUDE)
    try:
        for chapter in CHAPTERS:
            tutorial.run(chapter, shell, labs.name)
    finally:
        shell.close()
        labs.kubectl("delete", "deployments,services,ingresses,hpa,pods", "-l", "!provider", "--grace-period=1")


def blocks(document: Path) -> list[str]:
    return document.read_text().split("```")[1::2]


def test_both_languages_show_the_same_screens() -> None:
    assert blocks(KOREAN) == blocks(README)


def test_there_are_thirteen_labs() -> None:
    assert [chapter.title.partition(".")[0] for chapter in CHAPTERS] == [str(number) for number in range(1, 14)]
