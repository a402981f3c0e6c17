"""start, stop, restart: the verbs of a cluster on this machine."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster import control, kubeconfig, pidfile, preflight, readiness
from pybernetes.cluster.launch import Launch
from pybernetes.cluster.profile import Profile

Report = Callable[[str], None]
"""Told of each step as it is done: "certificates", "control plane", "node", "kubeconfig"."""


class StartError(Exception):
    """The cluster could not be started; nothing half made is left running."""

    def __init__(self, problems: list[preflight.Problem]) -> None:
        super().__init__("; ".join(problem.cause for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Started:
    """What a start came to."""

    already_running: bool
    kubeconfig: Path
    seconds: float


def start(profile: Profile, report: Report, *, wait_seconds: float = 60.0) -> Started:
    """Bring the cluster up and wait until its node is Ready. Raises StartError, NotReadyError, KubeconfigError.

    The daemon imports its modules while this process checks the machine and signs certificates.
    """
    began = time.monotonic()
    if control.is_running(profile):
        readiness.wait_ready(profile, report, wait_seconds)
        path = kubeconfig.add_to_user(profile, kubeconfig.caller())
        return Started(True, path, time.monotonic() - began)
    end_leftovers(profile)
    if problems := preflight.check(profile):
        raise StartError(problems)
    is_new = not profile.exists()
    launch = Launch.begin(profile)
    try:
        prepare(profile)
    except BaseException:
        launch.cancel()
        raise
    report("certificates")
    launched = time.time()
    launch.go()
    path = kubeconfig.add_to_user(profile, kubeconfig.caller())
    try:
        readiness.wait_ready(profile, report, wait_seconds, since=launched)
    except readiness.NotReadyError:
        if is_new:
            halt(profile)
            kubeconfig.remove_from_users(profile, kubeconfig.caller())
        raise
    report("kubeconfig")
    return Started(False, path, time.monotonic() - began)


def prepare(profile: Profile) -> None:
    """Directories, certificates and the components' credentials."""
    from pybernetes.cluster.certificates import Certificates

    profile.save()
    if Certificates(profile).ensure() or not profile.kubeconfig("admin").exists():
        kubeconfig.write_components(profile)


def stop(profile: Profile, grace: float = 30.0) -> bool:
    """End the pods gracefully, then the components. False if the cluster was not running."""
    if not control.is_running(profile):
        end_leftovers(profile)
        return False
    control.request(profile, "stop", grace=grace, timeout=grace + 60)
    wait_ended(profile)
    return True


def halt(profile: Profile) -> bool:
    """End the components only; containers go on running. False if the cluster was not running."""
    if not control.is_running(profile):
        return False
    control.request(profile, "halt", timeout=60)
    wait_ended(profile)
    return True


def wait_ended(profile: Profile, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while control.is_running(profile) and time.monotonic() < deadline:
        time.sleep(readiness.PAUSE)


def end_leftovers(profile: Profile) -> None:
    """End components whose supervisor was killed: their successors take over what they did."""
    paths = control.leftovers(profile)
    for path in paths:
        pidfile.end(path)
    deadline = time.monotonic() + 10
    while control.leftovers(profile) and time.monotonic() < deadline:
        time.sleep(readiness.PAUSE)
    for path in control.leftovers(profile):
        pidfile.end(path, signal.SIGKILL)
