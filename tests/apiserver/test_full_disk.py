"""An API server whose disk is full: writes are refused by name, reads go on, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.apiservers import running_apiserver
from tests.mounts import enter_private_mounts

PATH = "/api/v1/namespaces/default/configmaps"


def call(url: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A file system of its own for the store."""
    enter_private_mounts()
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], check=True)
    return folder


def test_a_full_disk_under_the_store(disk: Path) -> None:
    with running_apiserver(disk) as server:
        kept, status, refusal = [], 201, {}
        while status == 201:
            name = f"c{len(kept)}"
            status, refusal = call(server.url + PATH, {"metadata": {"name": name}, "data": {"k": "x" * 400_000}})
            if status == 201:
                kept.append(name)
            assert len(kept) < 100
        assert (status, refusal["reason"]) == (503, "ServiceUnavailable")
        assert "full" in refusal["message"]
        assert call(server.url + PATH + "/c0")[0] == 200
        server.kill()
        server.start()
        names = [item["metadata"]["name"] for item in call(server.url + PATH)[1]["items"]]
        assert set(kept) <= set(names)
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert call(server.url + PATH, {"metadata": {"name": "after"}})[0] == 201
    assert "Traceback" not in (disk / "apiserver.log").read_text()
