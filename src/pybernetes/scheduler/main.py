"""p8s scheduler: the scheduler as a process of its own, with kube-scheduler's flags."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes import flags, process
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.election import LeadershipLostError, run_leader_election
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.rest import Client, connect
from pybernetes.scheduler.bind import Binder
from pybernetes.scheduler.scheduler import Scheduler

COMPONENT = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Options:
    """Names and defaults are upstream's."""

    kubeconfig: str = flags.option("", "credentials for the API server")
    leader_elect: bool = flags.option(True, "work only while holding the lease kube-system/kube-scheduler")
    v: int = flags.option(0, "verbosity of the log")


async def run(informers: Informers, clock: Clock | None = None) -> None:
    """Schedule with the informers given, which the caller keeps running; returns only when cancelled."""
    clock = clock or SystemClock()
    recorder = EventRecorder(informers.client, COMPONENT, clock=clock)
    binder = Binder(informers.client, recorder, clock)
    try:
        await Scheduler(informers, binder, clock, random.Random(), COMPONENT).run()
    finally:
        await recorder.close()


async def run_alone(options: Options) -> None:
    """Schedule with a connection and informers of its own."""
    async with connect(Config.from_kubeconfig(options.kubeconfig), user_agent="kube-scheduler") as client:
        if options.leader_elect:
            identity = f"{socket.gethostname()}_{random.getrandbits(64):x}"
            await run_leader_election(
                client, lease="kube-scheduler", namespace="kube-system", identity=identity,
                run=lambda: _schedule(client),
            )  # fmt: skip
        else:
            await _schedule(client)


async def _schedule(client: Client) -> None:
    informers = Informers(client)
    async with informers.running():
        await run(informers)


def main(arguments: Sequence[str]) -> int:
    options = flags.parse(Options, "p8s scheduler", arguments, "Finds a node for each pod.")
    return process.run_alone(
        "scheduler", lambda: run_alone(options), ConfigError, LeadershipLostError, verbosity=options.v
    )
