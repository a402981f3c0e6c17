"""Docker's API over the cluster's images, started by its first connection."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.cluster.images import sockets
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.profile import Profile
from pybernetes.docker.main import Options, run
from pybernetes.process import run_until_terminated


def options(profile: Profile) -> Options:
    return Options(
        runtimes=lambda: sockets(profile.reread()),
        scratch=profile.state / "docker",
        root=profile.state,
        cluster=profile.name,
        insecure=profile.settings.insecure_registries,
    )


def main(profile: Profile, listens: Sequence[Listener]) -> None:
    bound = [held.bound for held in listens if held.bound is not None]
    run_until_terminated("docker", lambda: run(options(profile), bound))
