"""start, stop, restart: the verbs of a cluster on this machine."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybernetes.cluster import control, freezing, kubeconfig, locks, options, preflight, readiness
from pybernetes.cluster.ending import end, end_leftovers, halt, wait_ended
from pybernetes.cluster.errors import ClusterError, Problem
from pybernetes.cluster.interrupts import Interrupts, deferred
from pybernetes.cluster.launch import Launch
from pybernetes.cluster.membership import grown
from pybernetes.cluster.profile import Profile, load, taken_ports

RESUME_SECONDS = 60.0

Report = Callable[[str], None]
"""Told of each step as it is done: "certificates", "control plane", "node", "kubeconfig"; and of what takes long."""


class StartError(ClusterError):
    """The cluster cannot be started; nothing was made."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.cause for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Started:
    """What a start came to."""

    already_running: bool
    kubeconfig: Path
    seconds: float


def start(
    name: str, changes: Mapping[str, Any], report: Report, *, wait_seconds: float = 60.0, again: bool = False
) -> Started:
    """Bring the cluster up and wait until its nodes are Ready; with `again`, end its components first.

    `changes` are settings to keep from now on. With `wait_seconds=0` nothing is waited for. Raises StartError,
    OptionError, NotReadyError, KubeconfigError. If that was the cluster's first start, nothing of it is left then, nor
    if it was interrupted. One that is paused goes on.
    """
    began = time.monotonic()
    refuse(preflight.check_rights(simulated=bool(changes.get("simulated")) or load(name).settings.simulated))
    with deferred() as interrupts, locks.of_profile(name, lambda: report("waiting"), interrupts.check):
        if control.state(load(name)) == control.STOPPING:
            report("stopping")
            wait_ended(load(name))
        check_changes(load(name), changes, again=again)
        if again:
            refuse(preflight.check(with_changes(load(name), changes), running=True))
            halt(load(name))
        profile, is_new, is_running = settle(name, changes)
        if is_running:
            ended = lambda: not control.is_running(profile)  # noqa: E731
            if wait_seconds:
                vigil = readiness.Vigil(profile, ended, interrupts, report)
                readiness.wait_ready(profile, report, wait_seconds, vigil)
            path = kubeconfig.add_to_user(profile, kubeconfig.caller())
        else:
            try:
                path = bring_up(profile, report, wait_seconds, interrupts, keep=not is_new)
            except BaseException as error:
                if is_new:
                    if isinstance(error, KeyboardInterrupt):
                        report("what was made so far is taken away again")
                    undo(profile, error)
                raise
    report("kubeconfig")
    return Started(is_running, path, time.monotonic() - began)


def refuse(problems: list[Problem]) -> None:
    if problems:
        raise StartError(problems)


def settle(name: str, changes: Mapping[str, Any]) -> tuple[Profile, bool, bool]:
    """The profile as it is to be started, whether it is new, and whether it runs: then nothing is changed.

    Nobody else can get the ranges of a new one once it is saved.
    """
    end_leftovers(load(name))
    with locks.of_machine():
        stored = load(name)
        if control.is_running(stored):
            return stored, False, True
        is_new = not stored.exists()
        profile = with_changes(stored, changes)
        if is_new:
            profile = with_free_ports(profile, changes)
        refuse(preflight.check(profile))
        profile.save()
    return profile, is_new, False


def check_changes(stored: Profile, changes: Mapping[str, Any], *, again: bool) -> None:
    """Nothing that a start was told is passed over. Raises OptionError, StartError."""
    if stored.exists():
        refuse(check_kind(stored, changes))
        options.refuse_changes(stored, changes, running=control.is_running(stored) and not again)


def check_kind(stored: Profile, changes: Mapping[str, Any]) -> list[Problem]:
    """A cluster stays what it was made: its nodes are real, or they are simulated."""
    if not stored.exists() or not changes.get("simulated") or stored.settings.simulated:
        return []
    other = f"p8s start --simulated --profile {stored.name}-sim"
    more = f"p8s node add --simulated 3 --profile {stored.name}"
    return [
        Problem(f"the nodes of cluster {stored.name!r} are real", f"{other}; or simulated nodes beside them: {more}")
    ]


def with_free_ports(profile: Profile, changes: Mapping[str, Any]) -> Profile:
    """Of a new cluster: what it was not told goes to the next port that no other program or cluster has."""
    settings, others = profile.settings, set(taken_ports())
    found = {"registry_port": preflight.free_port(settings.registry_port, others)}
    if not changes.get("api_port"):
        found["api_port"] = preflight.free_port(settings.api_port, others | set(found.values()))
    return profile.changed(found)


def with_changes(stored: Profile, changes: Mapping[str, Any]) -> Profile:
    """With other settings; `nodes` is how many nodes there are to be."""
    settings = dict(changes)
    count = settings.pop("nodes", 0)
    changed = stored.changed(settings)
    return grown(changed, count) if count else changed


def bring_up(profile: Profile, report: Report, wait_seconds: float, interrupts: Interrupts, *, keep: bool) -> Path:
    """Launch the supervisor and wait. One that does not become ready is ended again, unless it is to be kept.

    The daemon imports its modules while this process signs certificates, and serves while it writes the caller's
    kubeconfig; returns that.
    """
    freezing.thaw(profile)
    if (profile.state / "mounts.json").exists():
        from pybernetes.cluster import mounts

        mounts.establish(profile, report)
    launch = Launch.begin(profile)
    launched = 0.0
    try:
        prepare(profile)
        report("certificates")
        interrupts.check()
        launched = time.time()
        launch.go()
        path = kubeconfig.add_to_user(profile, kubeconfig.caller())
        if wait_seconds:
            vigil = readiness.Vigil(profile, launch.has_ended, interrupts, report)
            readiness.wait_ready(profile, report, wait_seconds, vigil, since=launched)
        interrupts.check()
    except BaseException:
        if not keep or not launched:
            launch.cancel()
        raise
    return path


def undo(profile: Profile, why: BaseException) -> None:
    """Take away what a first start has made so far. Raises NotReadyError if even that fails."""
    try:
        from pybernetes.cluster.delete import remove

        remove(profile)
    except Exception as error:
        left = f"what the start had made is still there ({error!r})"
        raise readiness.NotReadyError(f"{why}\nand {left}", f"p8s delete --profile {profile.name}") from why


def prepare(profile: Profile) -> None:
    """Directories, certificates and the components' credentials."""
    from pybernetes.cluster.certificates import Certificates

    profile.save()
    Certificates(profile).ensure()
    kubeconfig.write_components(profile)


def stop(profile: Profile, grace: float = 30.0) -> bool:
    """End the pods gracefully, then the components. False if the cluster was not running.

    The pods of one that is paused, or has lost its supervisor, need its components to end gracefully: they come back
    for that.
    """
    with locks.of_profile(profile.name):
        if control.state(profile) in (control.PAUSED_STATE, control.UNATTENDED):
            end_leftovers(profile)
            with deferred() as interrupts:
                bring_up(profile, lambda step: None, RESUME_SECONDS, interrupts, keep=True)
        return end(profile, grace)


def pause(profile: Profile) -> bool:
    """Freeze the containers and end the components: nothing uses a CPU, memory stays. False if nothing runs.

    Whoever asks the API server meanwhile is refused the connection.
    """
    with deferred() as interrupts, locks.of_profile(profile.name, check=interrupts.check):
        if not halt(profile):
            return False
        freezing.freeze(profile)
        return True
