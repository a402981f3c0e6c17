"""The API server against recordings of upstream's answers.

The files beside this one are our own requests with upstream's answers, in the form of the golden corpus; that corpus,
the tool that replays it and its users are in ../shared/golden beside the checkout, where they are.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pybernetes.cluster.lifecycle import prepare
from pybernetes.cluster.profile import Profile, Settings

pytestmark = pytest.mark.live

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
OWN = Path(__file__).parent
FLOORS = {GOLDEN / "open.jsonl": 99.7, OWN / "kinds.jsonl": 95.0, OWN / "validation.jsonl": 95.0}
"""Per cent of a file's steps that must come out as recorded; raised as the server gets closer."""
TABLES_RECORDED = datetime(2026, 11, 29, 12, tzinfo=UTC)
"""When `tables.jsonl` was; at noon, so that no day begins while it is replayed."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API server alone, set up as the recorded one was."""
    tmp_path = tmp_path_factory.mktemp("golden")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    profile = Profile("golden", Settings(api_port=port), tmp_path / "state", tmp_path / "run")
    prepare(profile)
    pki = profile.certificates
    # The recorded server signed its tokens with RSA.
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (pki / "service-account.key").write_bytes(pem)
    command = [
        sys.executable, "-m", "pybernetes.apiserver", f"--secure-port={port}", f"--storage=sqlite:{tmp_path / 'db'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}", f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}", f"--token-auth-file={GOLDEN / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC", f"--service-account-signing-key-file={pki / 'service-account.key'}",
        f"--service-account-key-file={pki / 'service-account.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    ]  # fmt: skip
    url = f"https://127.0.0.1:{port}"
    with subprocess.Popen(command) as process:
        try:
            wait_ready(url)
            yield url
        finally:
            process.kill()  # its end is another test's; asked kindly it gives clients with watches 10 s


def wait_ready(url: str) -> None:
    context = ssl._create_unverified_context()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", context=context) as answer:
                if answer.status == 200:
                    return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("the API server does not become ready")


def as_of_now(recording: Path, directory: Path) -> Path:
    """The recording with its moments as long ago as they were on its day: cells tell how long ago (`5 (332d ago)`)."""
    passed = datetime.now(UTC) - TABLES_RECORDED

    def moved(found: re.Match[str]) -> str:
        return f"{datetime.fromisoformat(found[1]) + passed:%Y-%m-%dT%H:%M:%S}Z"

    moment = re.compile(r"(2026-01-\d\dT\d\d:\d\d:\d\d)Z")
    copy = directory / recording.name
    copy.write_text(moment.sub(moved, recording.read_text()))
    return copy


def recordings() -> list[Path]:
    return [GOLDEN / "open.jsonl", *sorted(OWN.glob("*.jsonl"))]


@pytest.mark.skipif(not GOLDEN.exists(), reason="the replaying tool is not part of this repository")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("recording", recordings(), ids=lambda path: path.stem)
def test_answers_are_upstreams(server: str, tmp_path: Path, recording: Path) -> None:
    summary = tmp_path / "summary.json"
    replayed = as_of_now(recording, tmp_path) if recording.stem == "tables" else recording
    command = [
        sys.executable, str(GOLDEN / "replay.py"), "--server", server, "--token", "golden-admin",
        "--golden", str(replayed), "--show", "0", "--patience", "2", "--json", str(summary),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=580)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    total = json.loads(summary.read_text())["total"]
    assert total["percent"] >= FLOORS.get(recording, 100)
