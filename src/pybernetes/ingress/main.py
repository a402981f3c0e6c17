"""p8s ingress: the Ingress controller and its proxy as a process of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pybernetes import flags, process
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.ingress.certificates import Certificates
from pybernetes.ingress.controller import Controller
from pybernetes.ingress.server.doors import Door, Doors
from pybernetes.ingress.server.gate import Gate

log = logging.getLogger(__name__)

NAME = "pybernetes-ingress"
DRAIN_SECONDS = 5.0
RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """Where to listen and what to tell."""

    kubeconfig: str = flags.option("", "credentials for the API server")
    bind_addresses: tuple[str, ...] = flags.option(("127.0.0.1",), "addresses to listen on")
    http_port: int = flags.option(80, "port for HTTP")
    https_port: int = flags.option(443, "port for HTTPS")
    spare_http_port: int = flags.option(8080, "the first port to try where that for HTTP is taken")
    spare_https_port: int = flags.option(8443, "the first port to try where that for HTTPS is taken")
    publish_status_address: str = flags.option("127.0.0.1", "the address for the status of Ingresses")
    report: str = flags.option("", "a file that always says, as JSON, where it listens")
    v: int = flags.option(0, "verbosity of the log")

    def doors(self) -> list[Door]:
        return [
            door
            for address in self.bind_addresses
            for door in (
                Door(address, self.http_port, self.spare_http_port, False),
                Door(address, self.https_port, self.spare_https_port, True),
            )
        ]


async def run(options: Options, informers: Informers, clock: Clock | None = None) -> None:
    """Serve with the informers given, which the caller keeps running; returns only when cancelled.

    Connections are accepted once all routes are known; at the end what is under way has a few seconds.
    """
    clock = clock or SystemClock()
    recorder = EventRecorder(informers.client, NAME, clock=clock)
    async with open_scope("ingress") as scope:
        gate = Gate(lambda question: controller.decide(question), scope)
        certificates = Certificates(lambda host: controller.context(host))
        doors = Doors(gate, certificates.listening(), options.doors())
        controller = Controller(
            informers, recorder, clock, options.publish_status_address, gate.pool.keep, doors.taken
        )  # fmt: skip
        await controller.wait_known()
        await doors.open()
        report(options, doors)
        scope.spawn(_try_doors(options, doors, controller, clock), "doors")
        try:
            await controller.run()
        finally:
            doors.close()
            await asyncio.shield(gate.drain(DRAIN_SECONDS))
            if options.report:
                Path(options.report).unlink(missing_ok=True)
            await recorder.close()


async def _try_doors(options: Options, doors: Doors, controller: Controller, clock: Clock) -> None:
    """Take the ports that others had as soon as they are free, which nobody tells."""
    while doors.taken():
        await clock.sleep(RETRY_SECONDS)
        if await doors.open():
            report(options, doors)
            controller.tell_again()


def report(options: Options, doors: Doors) -> None:
    """Say where we are to be found."""
    for sentence in doors.taken():
        log.warning("%s", sentence)
    if options.report:
        path = Path(options.report)
        new = path.with_name(path.name + ".new")
        new.write_text(json.dumps({"urls": doors.urls(), "taken": doors.taken()}))
        os.replace(new, path)


async def run_alone(options: Options) -> None:
    """Serve with a connection and informers of its own."""
    async with connect(Config.from_kubeconfig(options.kubeconfig), user_agent=NAME) as client:
        informers = Informers(client)
        async with informers.running():
            await run(options, informers)


def main(arguments: Sequence[str]) -> int:
    options = flags.parse(Options, "p8s ingress", arguments, "Serves Ingresses.")
    return process.run_alone("ingress", lambda: run_alone(options), ConfigError, verbosity=options.v)
