"""Ways to the API server: the profile's own credentials, else the caller's kubeconfig; and what is said without one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pybernetes.cluster import profile
from pybernetes.cluster.door import Access, DoorError, access


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("SUDO_UID", raising=False)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(server: str) -> dict[str, Any]:
    user = {"client-certificate-data": encoded("certificate"), "client-key-data": encoded("key")}
    cluster = {"server": server, "certificate-authority-data": encoded("authority")}
    return {
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "b", "user": user}],
        "contexts": [{"name": "ci", "context": {"cluster": "a", "user": "b"}}],
    }


def test_of_the_callers_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(json.dumps(config("https://127.0.0.1:1")))
    assert access("ci") == Access("ci", "https://127.0.0.1:1", b"authority", b"certificate", b"key")


def test_the_profiles_own_goes_first(tmp_path: Path) -> None:
    own = tmp_path / "state" / "ci" / "pki"
    own.mkdir(parents=True)
    (own / "admin.kubeconfig").write_text(json.dumps(config("https://127.0.0.1:2")))
    (tmp_path / "kubeconfig").write_text(json.dumps(config("https://127.0.0.1:1")))
    assert access("ci").server == "https://127.0.0.1:2"


@pytest.mark.parametrize("content", [None, "", "{", "[]", "contexts: []", json.dumps({**config("x"), "users": []})])
def test_no_way_in(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "kubeconfig").write_text(content)
    with pytest.raises(DoorError) as raised:
        access("ci")
    [problem] = raised.value.problems
    assert problem.cause.startswith("there is no cluster 'ci'")
    assert "sudo p8s update-context --profile ci" in problem.next_step
