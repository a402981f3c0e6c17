"""How long commands take as whole processes: start-up, a build in which every step is cached, an archive of 100 MB."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests import debian
from tests.images import Image, Tree
from tests.registries import push

from bench.cluster import P8S, PROFILE
from bench.figures import Figure

HOSTNAME = Path(__file__).parents[1] / "examples" / "hostname"
RUNS = 7
ARCHIVE_BYTES = 100_000_000
OFFLINE = ["--build-arg", "BASE=flask-base", "--build-arg", "VENV_OPTIONS=--system-site-packages"]


def measure(mirror: str, folder: Path) -> list[Figure]:
    push(debian.flask(), mirror, "library/flask-base:latest")
    build = [*P8S, "image", "build", "-q", "-p", PROFILE, "-t", "hostname", *OFFLINE, str(HOSTNAME)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return [
        Figure("p8s version --client", 1000 * median_seconds([[*P8S, "version", "--client"]] * RUNS)),
        Figure("p8s image build, all cached", 1000 * median_seconds([build] * RUNS)),
        Figure("p8s image load, 100 MB", median_seconds(loads(folder))),
    ]


def loads(folder: Path) -> list[list[str]]:
    """Archives of noise, no two of which share a layer."""
    commands = []
    for number in range(3):
        layer = Tree().file("noise", os.urandom(ARCHIVE_BYTES)).layer()
        archive = Image([layer]).write_archive(folder / f"{number}.tar", f"noise:{number}")
        commands.append([*P8S, "image", "load", "-p", PROFILE, str(archive)])
    return commands


def median_seconds(commands: Sequence[list[str]]) -> float:
    """Of running each once; raises CalledProcessError."""
    taken = []
    for command in commands:
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)
