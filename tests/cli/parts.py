"""Components as processes of their own, for tests."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

P8S = [sys.executable, "-m", "pybernetes.cli.main"]
SECONDS = 30.0
NODE = '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "made-by-hand"}}'
ROOM = {"cpu": "4", "memory": "8Gi", "pods": "10"}
READY = {
    "capacity": ROOM,
    "allocatable": ROOM,
    "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": ""}],
}


class Parts:
    """Components as processes, ended with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *flags: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen([*P8S, name, *flags], stdout=log, stderr=log)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def end(self, name: str, number: signal.Signals) -> int:
        process = self.running.pop(name)
        process.send_signal(number)
        return process.wait(SECONDS)

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        command = ["kubectl", f"--kubeconfig={self.folder / 'kubeconfig'}", *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr + self.log("apiserver")
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))


def wait_until(reached: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (value := reached()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
    return value


def serving_certificate(port: int) -> str:
    try:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=SECONDS)
    except OSError:
        return ""


def bound(parts: Parts) -> list[str]:
    return [pod["spec"].get("nodeName") for pod in parts.get("pods")["items"]]


def write_kubeconfig(folder: Path, port: int) -> None:
    """Clients trust the self-signed certificate as their authority, and nothing else."""
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority": str(folder / "certificates" / "apiserver.crt"),
    }
    config = {
        "current-context": "a",
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"token": "sesame"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
