"""p8s image and p8s docker-env: what is shown, decided by tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pybernetes.cli.commands import docker_env
from pybernetes.cli.commands.image import ls
from pybernetes.cli.images import next_step, size, summary
from pybernetes.cri.errors import CRIError, ImageNotFoundError, PullError, UnavailableError
from pybernetes.cri.library import ImageRecord, ImageStep

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def image(id: str, created: str, *tags: str, digests: tuple[str, ...] = ()) -> ImageRecord:
    config = json.dumps({"created": created}).encode()
    return ImageRecord(id, list(tags), list(digests), [], 1000, "", 0, [], [], config)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2026-06-15T11:59:58Z", "2 seconds ago"),
        ("2026-06-15T11:58:50.123456789Z", "About a minute ago"),
        ("2026-06-15T11:30:00+00:00", "30 minutes ago"),
        ("2026-06-15T10:59:00Z", "1 hour ago"),
        ("2026-06-12T12:00:00Z", "3 days ago"),
        ("2026-05-15T12:00:00Z", "4 weeks ago"),
        ("2025-06-01T12:00:00Z", "1 year ago"),
        ("", "N/A"),
        ("2027-01-01T00:00:00Z", "0 seconds ago"),
    ],
)
def test_ages(created: str, expected: str) -> None:
    assert ls.ago(created, NOW) == expected


def test_rows_are_names_and_the_newest_comes_first() -> None:
    digest = "sha256:" + "0" * 64
    rows = ls.rows_of(
        [
            image("old", "2020-01-01T00:00:00Z", "docker.io/library/nginx:1", "localhost:5000/nginx:2"),
            image("new", "2026-01-01T00:00:00Z", digests=(f"docker.io/team/app@{digest}",)),
        ]
    )
    assert [(row.repository, row.tag) for row in rows] == [
        ("team/app", "<none>"), ("nginx", "1"), ("localhost:5000/nginx", "2"),
    ]  # fmt: skip
    assert rows[0].digest == digest


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [(None, True), ("nginx", True), ("nginx:1", True), ("nginx:2*", False), ("ngi*", True), ("web", False)],
)
def test_patterns(pattern: str | None, fits: bool) -> None:
    assert ls.fits(ls.Row("nginx", "1", "", "", "", 0), pattern) is fits


@pytest.mark.parametrize(("count", "said"), [(0, "0B"), (999, "999B"), (1100000, "1.1MB"), (6331234, "6.33MB")])
def test_sizes(count: int, said: str) -> None:
    assert size(count) == said


def test_progress() -> None:
    seen = {"a": ImageStep("a", 10, 10), "b": ImageStep("b", 5, 1000)}
    assert summary(seen) == "1/2 blobs, 15B of 1.01kB"


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (UnavailableError("x"), "p8s status"),
        (ImageNotFoundError("x"), "p8s image ls"),
        (ImageNotFoundError("failed to resolve reference"), "tags"),
        (PullError("pull access denied: authorization failed"), "docker login"),
        (PullError("http: server gave HTTP response to HTTPS client"), "--insecure-registry"),
        (PullError("connection refused"), "can be reached"),
        (CRIError("failed to load archive: archive is malformed: x"), "docker save NAME -o FILE"),
    ],
)
def test_each_failure_has_a_next_step(error: Exception, step: str) -> None:
    assert step in next_step(error, "ci")


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        ("bash", ["export A='x y'", "unset B"]),
        ("fish", ["set -gx A 'x y';", "set -e B;"]),
        ("tcsh", ["setenv A 'x y';", "unsetenv B;"]),
        ("powershell", ['$Env:A = "x y"', "Remove-Item Env:\\B"]),
        ("none", ["A=x y", "B"]),
        ("nu", ["export A='x y'", "unset B"]),
    ],
)
def test_each_shell_is_spoken_to_in_its_words(shell: str, lines: list[str]) -> None:
    assert docker_env.lines({"A": "x y", "B": None}, shell) == lines


def test_what_would_lead_docker_elsewhere_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    found = docker_env.environment("ci")
    assert found["DOCKER_CONTEXT"] is None
    assert found["DOCKER_HOST"] == "unix:///run/pybernetes/ci/docker.sock"
