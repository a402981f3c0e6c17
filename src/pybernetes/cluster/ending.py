"""How the parts of a cluster are ended, for who holds the profile's lock."""

import signal
import time

from pybernetes.cluster import control, freezing, pidfile
from pybernetes.cluster.profile import Profile


def end(profile: Profile, grace: float) -> bool:
    """End the pods gracefully, then the components. False if the cluster was not running."""
    freezing.thaw(profile)
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
    pidfile.wait_ended(profile.run / "supervisor.pid", seconds)


def end_leftovers(profile: Profile) -> None:
    """End components whose supervisor was killed: their successors take over what they did."""
    paths = control.leftovers(profile)
    for path in paths:
        pidfile.end(path)
    deadline = time.monotonic() + 10
    for path in paths:
        if not pidfile.wait_ended(path, max(0.0, deadline - time.monotonic())):
            pidfile.end(path, signal.SIGKILL)
