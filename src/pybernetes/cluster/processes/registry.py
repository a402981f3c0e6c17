"""The cluster's own registry, started by its first connection."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.cluster import registry
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.processes import runtime
from pybernetes.cluster.profile import Profile
from pybernetes.process import run_until_terminated
from pybernetes.registry.main import Options, run


def options(profile: Profile) -> Options:
    return Options(
        root=profile.state / "registry",
        shared=runtime.blobs(profile),
        runtime=profile.run / "runtime.sock",
        host=registry.host(profile),
    )


def main(profile: Profile, listens: Sequence[Listener]) -> None:
    sockets = [held.bound for held in listens if held.bound is not None]
    run_until_terminated("registry", lambda: run(options(profile), sockets))
