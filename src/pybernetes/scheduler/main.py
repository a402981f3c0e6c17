"""p8s scheduler: the scheduler as a process of its own, with kube-scheduler's flags."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence

from pybernetes import process
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.election import LeadershipLostError, run_leader_election
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.scheduler.bind import Binder
from pybernetes.scheduler.metrics import PROFILE, SchedulerMetrics
from pybernetes.scheduler.options import NAME, Options, parse
from pybernetes.scheduler.scheduler import Scheduler


async def run(
    options: Options, informers: Informers, clock: Clock | None = None, metrics: SchedulerMetrics | None = None
) -> None:
    """Schedule with the informers given, which the caller keeps running, while this process leads, if it has to.

    Returns only when cancelled; raises LeadershipLostError.
    """
    clock, metrics = clock or SystemClock(), metrics or SchedulerMetrics()
    if not options.leader_elect:
        await _schedule(informers, clock, metrics)
        return
    await run_leader_election(
        informers.client,
        lease=NAME,
        namespace="kube-system",
        identity=f"{socket.gethostname()}_{random.getrandbits(64):x}",
        run=lambda: _schedule(informers, clock, metrics),
        clock=clock,
    )


async def _schedule(informers: Informers, clock: Clock, metrics: SchedulerMetrics) -> None:
    recorder = EventRecorder(informers.client, PROFILE, clock=clock)
    binder = Binder(informers.client, recorder, clock)
    try:
        await Scheduler(informers, binder, clock, random.Random(), PROFILE, metrics).run()
    finally:
        await recorder.close()


async def run_alone(options: Options) -> None:
    """Schedule with a connection and informers of its own, and serve the secure port.

    Raises ConfigError, OSError for the port, LeadershipLostError.
    """
    from pybernetes.client.secure_serving import serving_alone  # which a cluster's own manager loads when it is asked
    from pybernetes.scheduler.pages import component

    clock, metrics = SystemClock(), SchedulerMetrics()
    async with connect(Config.from_kubeconfig(options.kubeconfig), user_agent=NAME) as client:
        informers = Informers(client)
        pages = component(options, informers, metrics, clock).routes()
        async with serving_alone(options, NAME, pages, clock), informers.running():
            await run(options, informers, clock, metrics)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    return process.run_alone(
        "scheduler", lambda: run_alone(options), ConfigError, LeadershipLostError, verbosity=options.v
    )
