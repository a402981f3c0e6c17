"""The caller's docker configuration: entries, helpers, and what cannot be read."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pybernetes.cluster.docker_login import auth_for
from pybernetes.cri.types import AuthConfig
from pybernetes.runtime.images.registry.credentials import CredentialsError
from pybernetes.wire.images.reference import parse

HELPER = """#!/bin/sh
read server
case "$server" in
    https://index.docker.io/v1/) echo '{"Username": "hub", "Secret": "from helper"}' ;;
    token.example) echo '{"Username": "<token>", "Secret": "refresh"}' ;;
    broken.example) echo "the key ring is locked"; exit 1 ;;
    *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return tmp_path


def configure(home: Path, **config: object) -> None:
    (home / "config.json").write_text(json.dumps(config))


def test_nobody_has_logged_in(home: Path) -> None:
    assert auth_for(parse("nginx")) is None


def test_entries_of_the_file(home: Path) -> None:
    configure(home, auths={"ghcr.io": {"auth": base64.b64encode(b"me:secret").decode()}, "other.example": {}})
    assert auth_for(parse("ghcr.io/me/app")) == AuthConfig(username="me", password="secret")
    assert auth_for(parse("other.example/app")) is None


def test_the_helper_of_a_registry_and_the_one_for_all(home: Path) -> None:
    configure(home, credHelpers={"token.example": "test"})
    assert auth_for(parse("token.example/app")) == AuthConfig(identity_token="refresh")
    assert auth_for(parse("nginx")) is None
    configure(home, credsStore="test", auths={"plain.example": {"auth": base64.b64encode(b"a:b").decode()}})
    assert auth_for(parse("nginx")) == AuthConfig(username="hub", password="from helper")
    assert auth_for(parse("plain.example/x")) == AuthConfig(username="a", password="b")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"credsStore": "test"}, "docker-credential-test failed: the key ring is locked"),
        ({"credsStore": "missing"}, "docker-credential-missing, which the docker configuration names, cannot be run"),
        ({"credsStore": 1}, "cannot read credentials"),
    ],
)
def test_what_is_in_the_way_is_said(home: Path, config: dict[str, object], said: str) -> None:
    configure(home, **config)
    with pytest.raises(CredentialsError, match=said):
        auth_for(parse("broken.example/app"))
