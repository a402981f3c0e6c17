"""Requests to a running supervisor."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

from pybernetes.cluster import pidfile
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.preferences import command
from pybernetes.cluster.profile import Profile

SUPERVISOR = "supervisor.pid"
PAUSED = "paused"
"""A file among the sockets, which are gone after a reboot as the frozen containers are."""
PAUSED_STATE = "Paused"
STOPPING = "Stopping"
"""Somebody has told the supervisor to end all, and it is still at it."""
UNATTENDED = "Unattended"
"""The supervisor was killed: components live on, and nobody starts them again."""
WORDS = {
    PAUSED_STATE: ("is paused", "unpause"),
    STOPPING: ("is being stopped", "start"),
    UNATTENDED: ("has lost its supervisor: what still runs is not restarted", "start"),
    "Stopped": ("is stopped", "start"),
}
"""What is said of each state but Running, and which command brings the cluster back."""


ANSWER_SECONDS = 30.0
"""A supervisor that answers nobody for so long hangs: what it does itself (ending a component that will not end) takes
less."""


class NotAnsweringError(ClusterError):
    """The supervisor, or a component, lives and says nothing."""

    def __init__(self, profile: Profile, who: str = "supervisor") -> None:
        pid = pidfile.read(profile.run / f"{who}.pid")
        frozen = _is_stopped(pid)
        afterwards = f"; {command('start', profile.name)}" if who == "supervisor" else ", which has it started again"
        again = f"kill -CONT {pid}" if frozen else f"kill -KILL {pid}{afterwards}"
        why = ": it was stopped by a signal" if frozen else ""
        super().__init__(f"the {who} of cluster {profile.name!r} (process {pid}) does not answer{why}", again)


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False


class NotRunningError(ClusterError):
    """The cluster is there, but does not run."""

    answers = False

    def __init__(self, profile: Profile) -> None:
        words, verb = WORDS.get(state(profile), WORDS["Stopped"])
        super().__init__(f"cluster {profile.name!r} {words}", command(verb, profile.name))


def is_running(profile: Profile) -> bool:
    """Whether the profile's supervisor lives."""
    return pidfile.read(profile.run / SUPERVISOR) != 0


def state(profile: Profile) -> str:
    """Running, Stopping, Paused, Unattended or Stopped."""
    if is_running(profile):
        return "Running" if socket_of(profile).exists() else STOPPING
    if (profile.run / PAUSED).exists():
        return PAUSED_STATE
    return UNATTENDED if leftovers(profile) else "Stopped"


def request(profile: Profile, action: str, *, timeout: float = 120.0, **arguments: Any) -> dict[str, Any]:
    """Have the supervisor do something, in so many seconds; whether it listens is asked before, and shows sooner.

    Raises NotRunningError if it ends or has ended, NotAnsweringError, OSError.
    """
    if action != "status":
        request(profile, "status", timeout=min(timeout, ANSWER_SECONDS))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(socket_of(profile)))
            connection.sendall(json.dumps({"do": action, **arguments}).encode() + b"\n")
            said = connection.makefile("rb").readline()
        except TimeoutError as error:
            raise NotAnsweringError(profile) from error
        except (ConnectionError, FileNotFoundError) as error:
            if state(profile) == "Running":
                raise
            raise NotRunningError(profile) from error
    if not said:
        raise NotRunningError(profile)
    answer: dict[str, Any] = json.loads(said)
    return answer


def kill(profile: Profile) -> None:
    """End a supervisor that does not answer: its components live on until somebody ends them (`leftovers`)."""
    path = profile.run / SUPERVISOR
    pidfile.end(path, signal.SIGKILL)
    pidfile.wait_ended(path, ANSWER_SECONDS)


def socket_of(profile: Profile) -> Path:
    """The supervisor's, which it takes away first when it ends."""
    return profile.run / "supervisor.sock"


def leftovers(profile: Profile) -> list[Path]:
    """Pid files of components that live on although their supervisor was killed."""
    if is_running(profile) or not profile.run.exists():
        return []
    return [path for path in sorted(profile.run.glob("*.pid")) if pidfile.read(path)]
