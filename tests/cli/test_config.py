"""Preferences and the options they are about: one table for flags, files and p8s config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pybernetes.cli.main import main
from pybernetes.cluster import options, preferences
from pybernetes.cluster.profile import Profile, Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return tmp_path


def test_set_get_unset_view(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "set", "profile", "ci"]) == 0
    assert main(["config", "set", "registry-mirror", "docker.io=http://a", "quay.io=http://b"]) == 0
    assert main(["config", "get", "registry-mirror"]) == 0
    assert capsys.readouterr().out == "docker.io=http://a\nquay.io=http://b\n"
    assert main(["config", "view", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["profile"] == "ci"
    assert (home / ".config/pybernetes/config.json").stat().st_mode & 0o777 == 0o600
    assert main(["config", "unset", "profile"]) == 0
    assert main(["config", "get", "profile"]) == 1
    assert "profile is not set" in capsys.readouterr().err


def test_the_profile_that_is_set_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "set", "profile", "nobody-made-this"])
    assert main(["status"]) == 3
    assert "there is no cluster 'nobody-made-this'" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]"])
def test_damaged_preferences_are_named(home: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    preferences.save({})
    preferences.path().write_text(content)
    assert main(["config", "view"]) == 1
    assert str(preferences.path()) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("api-port", "7443", 7443),
        ("oci-runtime", "runc", "runc"),
        ("store", "etcd://127.0.0.1:2379", "etcd://127.0.0.1:2379"),
        ("registry-mirror", {"docker.io": "http://127.0.0.1:5000"}, ["docker.io=http://127.0.0.1:5000"]),
        ("insecure-registry", "registry.local:5000", ["registry.local:5000"]),
        ("extra-config", "kubelet.max-pods=50", ["kubelet.max-pods=50"]),
        (
            "extra-config",
            ["controller-manager.horizontal-pod-autoscaler-sync-period=5s"],
            ["controller-manager.horizontal-pod-autoscaler-sync-period=5s"],
        ),
        ("wait", False, 0.0),
        ("wait", "true", 60.0),
        ("wait", 5, 5.0),
    ],
)
def test_values(name: str, value: Any, read: Any) -> None:
    assert options.read(name, value) == read


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("api-port", "0", "is no port"),
        ("api-port", "x", "api-port cannot be 'x'"),
        ("oci-runtime", "docker", "is none of auto"),
        ("store", "redis", "there is no store"),
        ("registry-mirror", "docker.io", "is not REGISTRY=URL"),
        ("insecure-registry", "http://x", "is not HOST"),
        ("extra-config", "max-pods=50", "is not COMPONENT.FLAG=VALUE"),
        ("extra-config", "apiserver.audit-policy-file=/none.yaml", "--audit-policy-file: there is no file /none.yaml"),
        ("extra-config", "kubectl.v=4", "'kubectl' is none of apiserver, controller-manager, kubelet, scheduler"),
        ("extra-config", "kubelet.no-such=1", "kubelet has no flag --no-such"),
        ("extra-config", "kubelet.max-pods=many", "extra-config cannot be 'kubelet.max-pods=many'"),
        ("api-port", "²", "it is no port"),
        ("nodes", "x", "nodes cannot be 'x': it is no whole number"),
        ("nodes", "1.5", "it is no whole number"),
        ("nodes", "9" * 5000, "it is no whole number"),
        ("wait", "long", "wait cannot be 'long': it is neither seconds nor true or false"),
        ("wait", "-1", "neither seconds"),
        ("wait", "nan", "neither seconds"),
        ("profile", "A_B", "not valid"),
        ("stroe", "x", "there is no option 'stroe'"),
    ],
)
def test_refused_values(name: str, value: Any, cause: str) -> None:
    with pytest.raises(options.OptionError, match=cause):
        options.read(name, value)


def test_file_of_options(tmp_path: Path) -> None:
    path = tmp_path / "p8s.yaml"
    path.write_text("profile: ci\nwait: false\nregistry-mirror:\n  docker.io: http://127.0.0.1:5000\n")
    assert options.from_file(path) == {
        "profile": "ci",
        "wait": 0.0,
        "registry-mirror": ["docker.io=http://127.0.0.1:5000"],
    }


@pytest.mark.parametrize(
    ("content", "cause", "step"),
    [
        ("registry_mirrors: [x]", "there is no option 'registry_mirrors'", "registry-mirror"),
        ("- a", "does not hold options", "p8s start --help"),
        ("a: [", "while parsing", "p8s start --help"),
    ],
)
def test_refused_file(tmp_path: Path, content: str, cause: str, step: str) -> None:
    path = tmp_path / "p8s.yaml"
    path.write_text(content)
    with pytest.raises(options.OptionError) as raised:
        options.from_file(path)
    [problem] = raised.value.problems
    assert str(path) in problem.cause
    assert cause in problem.cause
    assert step in problem.next_step


PROFILE = Profile("ci", Settings(), Path("/nowhere"), Path("/nowhere"))


@pytest.mark.parametrize(
    ("changes", "running", "cause", "step"),
    [
        ({"store": "etcd://x:1"}, False, "made with --store sqlite", "p8s delete --profile ci"),
        ({"api_port": 7443}, True, "made with --api-port 6443", "p8s start --profile OTHER --api-port 7443"),
        ({"oci_runtime": "runc"}, True, "runs with --oci-runtime auto", "p8s restart --profile ci --oci-runtime runc"),
        (
            {"registry_mirrors": ["a=http://b"]},
            True,
            "runs with --registry-mirror none",
            "--registry-mirror a=http://b",
        ),
    ],
)
def test_changes_that_are_refused(changes: dict[str, Any], running: bool, cause: str, step: str) -> None:
    with pytest.raises(options.OptionError) as raised:
        options.refuse_changes(PROFILE, changes, running=running)
    [problem] = raised.value.problems
    assert cause in problem.cause
    assert step in problem.next_step


@pytest.mark.parametrize(
    ("changes", "running"), [({"oci_runtime": "runc"}, False), ({"store": "sqlite"}, True), ({}, True)]
)
def test_changes_that_are_taken(changes: dict[str, Any], running: bool) -> None:
    options.refuse_changes(PROFILE, changes, running=running)
