"""Clusters of simulated nodes, started by a user who is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.isolation import isolate_network

UID = 61234
"""Of nobody on this machine: without an entry, a capability, or a way to get one."""
SECONDS = 120
COMMANDS = {
    "p8s": [str(Path(sys.executable).with_name("p8s"))],
    "portable": [sys.executable, str(Path(__file__).with_name("portable.py"))],
    "kubectl": [shutil.which("kubectl") or "kubectl"],
}
PORTABLE = "portable"
NO_LINUX = "for each in /proc /sys /run; do mount -t tmpfs none $each; done"
"""Before portable.py hides what is missing elsewhere of Python: the filesystems that are."""
AS_NOBODY = f"exec setpriv --reuid {UID} --regid {UID} --clear-groups --no-new-privs --bounding-set=-all"


@dataclass(frozen=True, slots=True)
class Nobody:
    """A user without rights, with a home and the commands of a transcript."""

    home: Path
    environment: dict[str, str]

    def run(self, *command: str, code: int = 0) -> str:
        """What it printed on both outputs."""
        done = subprocess.run(
            command, env=self.environment, cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}"
        return done.stdout


def made(home: Path) -> Nobody:
    tools = home / "bin"
    tools.mkdir()
    for name, command in COMMANDS.items():
        script = tools / name
        again = f'[ "$ALONE" ] || ALONE=1 exec unshare --mount "$0" "$@"\n{NO_LINUX}\n' if name == PORTABLE else ""
        script.write_text(f'#!/bin/sh\n{again}{AS_NOBODY} {" ".join(command)} "$@"\n')
        script.chmod(0o755)
    os.chown(home, UID, UID)
    path = f"{tools}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SUDO_"))}
    return Nobody(home, {**kept, "HOME": str(home), "KUBECONFIG": str(home / "kubeconfig"), "PATH": path, "TZ": "UTC"})


@pytest.fixture
def nobody() -> Iterator[Nobody]:
    """A user of the test's own, whose cluster is deleted at the end."""
    isolate_network()
    with tempfile.TemporaryDirectory(prefix="p8s-") as folder:
        found = made(Path(folder))
        yield found
        if list((found.home / ".local/state/pybernetes").glob("*/profile.json")):
            found.run("p8s", "delete")


@pytest.fixture(scope="module")
def shared() -> Iterator[Nobody]:
    """A user with a cluster of four simulated nodes, by the rules of stages.yaml."""
    isolate_network()
    with tempfile.TemporaryDirectory(prefix="p8s-") as folder:
        found = made(Path(folder))
        shutil.copy(Path(__file__).with_name("stages.yaml"), found.home)
        try:
            found.run("p8s", "start", "--simulated", "--nodes", "4", "--stages", "stages.yaml")
            yield found
        finally:
            found.run("p8s", "delete")
