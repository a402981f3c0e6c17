"""How the parts of a cluster are ended, for who holds the profile's lock."""

import signal
import time

from pybernetes.cluster import control, freezing, pidfile
from pybernetes.cluster.profile import Profile


def end(profile: Profile, grace: float) -> bool:
    """End the pods gracefully, then the components, then what is left of the pods. False if the cluster was not running.

    A supervisor that does not answer is killed, and the pods with the components. Ctrl-C ends the patience, not the ending: nothing runs any more when it is passed on.
    """
    freezing.thaw(profile)
    was_running = control.is_running(profile)
    try:
        if was_running:
            control.request(profile, "stop", grace=grace, timeout=grace + 60)
    except control.NotRunningError:
        pass  # somebody else has told it before
    except control.NotAnsweringError:
        control.kill(profile)
    finally:
        wait_ended(profile)
        end_leftovers(profile)
        kill_pods(profile)
    return was_running


def kill_pods(profile: Profile) -> None:
    """Those that had not ended in time; their monitors note how they ended."""
    if not profile.settings.simulated:
        from pybernetes.cluster import session
        from pybernetes.runtime.cgroups.group import Cgroup

        group = Cgroup(profile.first_node.cgroup)
        if group.pids():
            from pybernetes.runtime.service.runtime import monitors_of

            group.kill(sparing=Cgroup(monitors_of(group.path)))
        session.forget(profile)


def halt(profile: Profile) -> bool:
    """End the components only; containers go on running. False if the cluster was not running."""
    if not control.is_running(profile):
        return False
    try:
        control.request(profile, "halt", timeout=60)
    except control.NotRunningError:
        pass  # somebody else has told it before
    except control.NotAnsweringError:
        control.kill(profile)
    wait_ended(profile)
    end_leftovers(profile)
    return True


def wait_ended(profile: Profile, seconds: float = 30.0) -> None:
    pidfile.wait_ended(profile.run / control.SUPERVISOR, seconds)


def end_leftovers(profile: Profile) -> None:
    """End components whose supervisor was killed: their successors take over what they did."""
    paths = control.leftovers(profile)
    for path in paths:
        pidfile.end(path)
    deadline = time.monotonic() + 10
    for path in paths:
        if not pidfile.wait_ended(path, max(0.0, deadline - time.monotonic())):
            pidfile.end(path, signal.SIGKILL)
