"""Ways to the API server: the profile's own credentials, else the caller's kubeconfig; and what is said without one."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pybernetes.cluster import profile
from pybernetes.cluster.door import Access, Door, DoorError, access, open_door


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


class Handler(BaseHTTPRequestHandler):
    """An API server that says as whom it was asked, and counts the connections."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[list[object]] = []

    def setup(self) -> None:
        super().setup()
        self.connections.append(self)

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "user": self.headers["X-Remote-User"], "group": self.headers["X-Remote-Group"]}).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/api/v1/nodes":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None

    def address_string(self) -> str:
        return "the socket"


def test_the_owner_asks_the_servers_own_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at the address: all questions go over one connection without TLS."""
    monkeypatch.setattr(profile, "RUN", tmp_path / "run")
    (tmp_path / "state/ci/pki").mkdir(parents=True)
    (tmp_path / "state/ci/pki/admin.kubeconfig").write_text(json.dumps(config("https://127.0.0.1:1")))
    (tmp_path / "run/ci").mkdir(parents=True)
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "run/ci/apiserver.sock"), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        try:
            door = open_door("ci")
            answers = [door.get(path) for path in ("/version", "/api/v1/nodes")]
        finally:
            server.shutdown()
    admin = {"user": "kubernetes-admin", "group": "system:masters"}
    assert answers == [{"path": "/version", **admin}, {"path": "/api/v1/nodes", **admin}]
    assert len(Handler.connections) == 1
    (tmp_path / "run/ci/apiserver.sock").unlink()
    with pytest.raises(DoorError, match="cluster 'ci' is stopped"):
        open_door("ci").get("/version")


def test_who_does_not_answer(tmp_path: Path) -> None:
    """Of a cluster that is not the caller's nothing more is known."""
    found = Access("ci", "https://127.0.0.1:1", b"", b"", b"", socket=tmp_path / "none")
    with pytest.raises(DoorError) as raised:
        Door(found).get("/version")
    assert not raised.value.answers
    assert str(raised.value) == (
        "the API server of cluster 'ci' does not answer at https://127.0.0.1:1 (No such file or directory)"
    )


@pytest.mark.parametrize("content", [None, "", "{", "[]", "contexts: []", json.dumps({**config("x"), "users": []})])
def test_no_way_in(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "kubeconfig").write_text(content)
    with pytest.raises(DoorError) as raised:
        access("ci")
    [problem] = raised.value.problems
    assert problem.cause.startswith("there is no cluster 'ci'")
    assert "sudo p8s update-context --profile ci" in problem.next_step
