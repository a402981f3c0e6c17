"""The report: what is in it, and what is not."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from pybernetes.cluster.bundle import BLANK, BundleError, redact, without_secrets, write
from pybernetes.cluster.profile import Profile, Settings


@pytest.fixture
def stopped(tmp_path: Path) -> Profile:
    profile = Profile("ci", Settings(store="etcd://root:sesame@127.0.0.1:2379"), tmp_path / "state", tmp_path / "run")
    profile.save()
    (profile.logs / "apiserver.log").write_text("started\nAuthorization: Bearer eyJhbGciOi.x.y\n")
    return profile


def test_report_of_a_cluster_that_is_stopped(stopped: Profile, tmp_path: Path) -> None:
    path = tmp_path / "report.tar.gz"
    assert write(stopped, path) == ["versions.json", "settings.json", "status.json", "logs/apiserver.log"]
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        content = {each.name: archive.extractfile(each).read().decode() for each in archive}  # type: ignore[union-attr]
    assert json.loads(content["p8s-ci/status.json"])["state"] == "Stopped"
    assert content["p8s-ci/logs/apiserver.log"] == f"started\nAuthorization: Bearer {BLANK}\n"
    assert "sesame" not in "".join(content.values())


@pytest.mark.parametrize("as_link", [False, True])
def test_what_is_there_is_not_written_to(stopped: Profile, tmp_path: Path, as_link: bool) -> None:
    path, target = tmp_path / "report", tmp_path / "target"
    target.write_text("mine")
    path.symlink_to(target) if as_link else path.write_text("mine")
    with pytest.raises(BundleError, match="File exists"):
        write(stopped, path)
    assert target.read_text() == "mine"


def test_objects_without_secrets() -> None:
    pod = {
        "metadata": {
            "managedFields": [{}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"},
        },
        "spec": {"containers": [{"env": [{"name": "PASSWORD", "value": "sesame"}, {"name": "N", "valueFrom": {}}]}]},
    }
    assert without_secrets(pod) == {
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": BLANK, "a": "b"}},
        "spec": {"containers": [{"env": [{"name": "PASSWORD", "value": BLANK}, {"name": "N", "valueFrom": {}}]}]},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("authorization=Basic abc", f"authorization=Basic {BLANK}"),
        ("token=abc&x=1", f"token={BLANK}&x=1"),
        ("https://user:secret@host/", f"https://user:{BLANK}@host/"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert redact(text) == expected
