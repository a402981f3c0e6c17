"""The simulator as a component: `p8s simulator`, or forked by the supervisor."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.api.scheme import Resource, by_kind
from pybernetes.client.codec import TypedCodec
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.events import EventRecorder
from pybernetes.client.rest import Client, connect
from pybernetes.client.watch import Reflector, Selection
from pybernetes.process import report, run_alone
from pybernetes.simulator.events import Events
from pybernetes.simulator.fleet import Fleet
from pybernetes.simulator.names import NODE_LABEL
from pybernetes.simulator.options import Options, parse
from pybernetes.simulator.parse import StagesError
from pybernetes.simulator.pods import Pods
from pybernetes.simulator.rules import Rules
from pybernetes.simulator.rules import parse as parse_rules
from pybernetes.simulator.server import Server
from pybernetes.simulator.view import Node, Pod
from pybernetes.simulator.writes import Writes

log = logging.getLogger(__name__)


async def run(options: Options, rules: Rules, clock: Clock | None = None) -> None:
    """Until cancelled. Raises ConfigError, OSError for what cannot be used."""
    clock = clock or SystemClock()
    config = Config.from_kubeconfig(options.kubeconfig)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(config, user_agent="simulator", clock=clock))
        scope = await stack.enter_async_context(open_scope("simulator"))
        await _simulate(Parts(client, clock, scope, stack), options, rules)


class Parts(Struct, frozen=True):
    """What all that is simulated shares."""

    client: Client
    clock: Clock
    scope: Scope
    stack: AsyncExitStack


async def _simulate(parts: Parts, options: Options, rules: Rules) -> None:
    client, clock, scope, stack = parts.client, parts.clock, parts.scope, parts.stack
    rng, writes = random.Random(), Writes(client)
    events = Events(EventRecorder(client, "kubelet", clock=clock), clock)
    server, port = Server(clock, scope), options.port
    if options.tls_cert_file:
        port = await server.listen(options, stack)
    fleet = Fleet(writes, clock, events, rules, (options.address, port), rng)
    pods = Pods(writes, clock, events, rules, fleet, rng)
    server.serve(pods)
    scope.spawn(Reflector(client, nodes_selection(), fleet, clock).run(), "nodes")
    await fleet.synced.wait()
    scope.spawn(Reflector(client, pods_selection(), pods, clock).run(), "pods")
    async with asyncio.TaskGroup() as group:
        group.create_task(fleet.run(), name="fleet")
        group.create_task(pods.run(), name="pods")
        if not fleet.machines:
            names = (f"sim-{number}" for number in range(1, options.nodes + 1))
            await fleet.register(names, tainted=options.taint)


def nodes_selection() -> Selection[Node]:
    return Selection(TypedCodec(Node, _resource("Node")), label_selector=NODE_LABEL)


def pods_selection() -> Selection[Pod]:
    """All that are bound: which nodes are simulated is not known beforehand."""
    return Selection(TypedCodec(Pod, _resource("Pod")), field_selector="spec.nodeName!=")


def _resource(kind: str) -> Resource:
    found = by_kind("v1", kind)
    assert found is not None
    return found


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    options = parse(arguments)
    try:
        rules = parse_rules(Path(options.stages).read_text()) if options.stages else Rules()
    except (OSError, StagesError) as error:
        return report(error)
    return run_alone("simulator", lambda: run(options, rules), ConfigError, verbosity=options.v)
