"""Requests to a running supervisor."""

import json
import socket
from pathlib import Path
from typing import Any

from pybernetes.cluster import pidfile
from pybernetes.cluster.profile import Profile

PAUSED = "paused"
"""A file among the sockets, which are gone after a reboot as the frozen containers are."""
PAUSED_STATE = "Paused"


def is_running(profile: Profile) -> bool:
    """Whether the profile's supervisor lives."""
    return pidfile.read(profile.run / "supervisor.pid") != 0


def state(profile: Profile) -> str:
    """Running, Paused or Stopped."""
    if is_running(profile):
        return "Running"
    return PAUSED_STATE if (profile.run / PAUSED).exists() else "Stopped"


def request(profile: Profile, action: str, *, timeout: float = 120.0, **arguments: Any) -> dict[str, Any]:
    """Have the supervisor do something; raises OSError if it cannot be reached."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(profile.run / "supervisor.sock"))
        connection.sendall(json.dumps({"do": action, **arguments}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
    return answer


def leftovers(profile: Profile) -> list[Path]:
    """Pid files of components that live on although their supervisor was killed."""
    if is_running(profile) or not profile.run.exists():
        return []
    return [path for path in sorted(profile.run.glob("*.pid")) if pidfile.read(path)]
