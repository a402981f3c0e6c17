"""A real cluster for tests: `p8s start` in a network of its own, upstream's kubectl, images from a real registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import registries
from tests.isolation import isolate_network

from pybernetes.cluster.profile import Profile, load

P8S = str(Path(sys.executable).with_name("p8s"))
SECONDS = 120


class Failed(AssertionError):
    """A command ended with another code than expected; the message holds what it printed."""


class LiveCluster:
    """One profile, with a kubeconfig of its own so that the user's is not touched."""

    def __init__(self, name: str, mirror: str, folder: Path) -> None:
        self.name = name
        self.kubeconfig = folder / f"{name}.kubeconfig"
        self.temporary = folder / f"{name}.tmp"
        self.temporary.mkdir()
        self.mirror = mirror
        own = {"KUBECONFIG": str(self.kubeconfig), "TMPDIR": str(self.temporary), "TZ": "UTC"}
        self.environment = {**os.environ, **own}

    @property
    def profile(self) -> Profile:
        return load(self.name)

    def start(self, *options: str) -> str:
        return self.p8s("start", "--registry-mirror", f"docker.io={self.mirror}", *options)

    def p8s(self, command: str, *arguments: str) -> str:
        return self.run([P8S, command, "--profile", self.name, *arguments])

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        return self.run(["kubectl", *arguments], input=input)

    def get(self, *arguments: str) -> Any:
        """`kubectl get` as an object."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def run(self, command: list[str], *, input: str | None = None) -> str:
        """What it printed on standard output, which need not be text. Raises Failed, with the logs of the cluster for `p8s start`."""
        done = subprocess.run(
            command, env=self.environment, input=input, capture_output=True, text=True, errors="replace", timeout=SECONDS
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def registry_of_images(folder: Path) -> Iterator[str]:
    """A registry on loopback that stands for docker.io; its URL."""
    isolate_network()
    with registries.running_registry(folder) as registry:
        registries.fill(registry)
        yield registry.url


@contextmanager
def live_cluster(name: str, mirror: str, folder: Path, *options: str) -> Iterator[LiveCluster]:
    """A started cluster, deleted at the end whatever happened."""
    cluster = LiveCluster(name, mirror, folder)
    if cluster.profile.exists():
        cluster.p8s("delete")
    try:
        cluster.start(*options)
        yield cluster
    finally:
        if cluster.profile.exists():
            cluster.p8s("delete")
