"""Docker's words and objects, made of the cluster's images and containers."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from pybernetes.cri import types as t
from pybernetes.cri.door import ImageInUseError
from pybernetes.cri.errors import CRIError, ImageNotFoundError, InvalidError, PullError, UnavailableError
from pybernetes.cri.library import ImageRecord
from pybernetes.docker import auth, filters, objects
from pybernetes.docker.errors import DockerError, from_cri, from_in_use

ID = "sha256:" + "ab" * 32
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(config: object, **fields: object) -> ImageRecord:
    known = {
        "id": ID,
        "tags": ["docker.io/library/web:1", "localhost:5000/team/web:2"],
        "digests": ["docker.io/library/web@sha256:" + "1" * 64],
        "local": [],
        "size": 300,
        "manifest": "sha256:" + "2" * 64,
        "manifest_size": 9,
        "layers": ["sha256:" + "3" * 64, "sha256:" + "4" * 64],
        "layer_sizes": [100, 200],
        "config": json.dumps(config).encode(),
    }
    return ImageRecord(**{**known, **fields})  # type: ignore[arg-type]


def test_a_row_of_images_has_the_names_that_users_write() -> None:
    row = objects.summary(record({"created": "2026-01-01T00:00:00Z", "config": {"Labels": {"a": "b"}}}), 2)
    assert row["RepoTags"] == ["web:1", "localhost:5000/team/web:2"]
    assert row["RepoDigests"][0].startswith("web@sha256:")
    assert (row["Created"], row["Labels"], row["Containers"]) == (1767225600, {"a": "b"}, 2)


@pytest.mark.parametrize("config", [{}, [], {"config": None, "rootfs": None, "created": None, "history": None}])
def test_images_whose_config_says_little_are_shown(config: object) -> None:
    poor = record(config)
    assert objects.summary(poor, 0)["Created"] == 0
    assert objects.inspected(poor)["RootFS"]["Layers"] == []
    assert [row["Size"] for row in objects.history(poor)] == [200, 100]


def test_history_gives_each_layer_to_the_step_that_made_it() -> None:
    steps = [
        {"created": "2026-01-01T00:00:00Z", "created_by": "ADD base"},
        {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "RUN make"},
    ]
    rows = objects.history(record({"history": steps}))
    assert [(row["CreatedBy"], row["Size"]) for row in rows] == [("RUN make", 200), ("ENV A=b", 0), ("ADD base", 100)]
    assert (rows[0]["Id"], rows[1]["Id"]) == (ID, "<missing>")


@pytest.mark.parametrize(
    ("state", "times", "expected"),
    [
        (t.ContainerState.CONTAINER_RUNNING, (90, 0), "Up 1 minute"),
        (t.ContainerState.CONTAINER_RUNNING, (7200, 0), "Up 2 hours"),
        (t.ContainerState.CONTAINER_EXITED, (90, 1), "Exited (3) 1 second ago"),
        (t.ContainerState.CONTAINER_CREATED, (0, 0), "Created"),
    ],
)
def test_states_of_containers(state: t.ContainerState, times: tuple[int, int], expected: str) -> None:
    now = int(NOW.timestamp())
    status = t.ContainerStatus(
        id="c", state=state, started_at=(now - times[0]) * 10**9, finished_at=(now - times[1]) * 10**9, exit_code=3
    )
    assert objects.listed_container(status, {}, NOW)["Status"] == expected


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ImageNotFoundError('image "x:1": not found'), 404, "No such image: x:1"),
        (InvalidError('couldn\'t parse image name "X": invalid reference format'), 400, "invalid reference format"),
        (PullError("failed to pull"), 500, "failed to pull"),
        (UnavailableError("gone"), 503, "the cluster's runtime does not answer: gone"),
    ],
)
def test_refusals_of_the_runtime(error: CRIError, status: int, message: str) -> None:
    said = from_cri(error)
    assert (said.status, said.message) == (status, message)


def test_conflicts() -> None:
    container = t.Container(id="c" * 64, state=t.ContainerState.CONTAINER_RUNNING)
    by_name = from_in_use(ImageInUseError("", "web:1", record({}), container))
    assert by_name.message.startswith('conflict: unable to remove repository reference "web:1" (must force)')
    by_id = from_in_use(ImageInUseError("", "abababab", record({}), container))
    assert "being used by running container cccccccccccc" in by_id.message
    assert "multiple repositories" in from_in_use(ImageInUseError("", ID, record({}))).message


@pytest.mark.parametrize(
    ("names", "pattern", "expected"),
    [
        (["nginx:1"], "nginx", True),
        (["nginx:1"], "nginx:1*", True),
        (["nginx:1"], "nginx:2", False),
        (["team/web:1"], "web", False),
        (["team/web:1"], "*/web", True),
        (["localhost:5000/web:1"], "localhost:5000/web", True),
        ([], "*", False),
    ],
)
def test_filter_by_reference(names: list[str], pattern: str, expected: bool) -> None:
    assert filters.fits_reference(names, [pattern]) is expected


def test_filters_as_old_and_new_clients_send_them() -> None:
    known = frozenset({"label"})
    assert filters.parse('{"label": {"a=b": true}}', known) == filters.parse('{"label": ["a=b"]}', known)
    for bad in ("x", "[]", '{"label": 1}', '{"other": []}'):
        with pytest.raises(DockerError):
            filters.parse(bad, known)
    assert filters.fits_labels({"a": "b"}, ["a", "a=b"])
    assert not filters.fits_labels({"a": "b"}, ["a=c"])


def header(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_credentials_of_the_client() -> None:
    given = {"username": "me", "password": "ü?>", "serveraddress": "https://index.docker.io/v1/"}
    assert auth.decode(header(given)) == t.AuthConfig(username="me", password="ü?>")
    assert auth.decode("") is None
    assert auth.decode(header({})) is None
    find = auth.for_build(header({"https://index.docker.io/v1/": given, "localhost:5000": {"identitytoken": "t"}}))
    assert find("nginx") == t.AuthConfig(username="me", password="ü?>")
    assert find("localhost:5000/x") == t.AuthConfig(identity_token="t")
    assert find("ghcr.io/x") is None
    assert find("NOT A NAME") is None
    with pytest.raises(DockerError):
        auth.decode("%%%")
