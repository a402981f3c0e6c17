"""p8s dns: the cluster's name server of one node."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pybernetes import flags, process
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.api.endpoints import service_of
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.dns.cache import Cache
from pybernetes.dns.forward import Forwarder, Resolvers
from pybernetes.dns.records import records_of
from pybernetes.dns.resolver import Resolver
from pybernetes.dns.server import serving
from pybernetes.dns.unknown import Tell, UnknownNames
from pybernetes.dns.zone import Zone

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """Where to answer, for which names, and whom to ask about others."""

    kubeconfig: str = flags.option("", "credentials for the API server")
    address: str = flags.option("127.0.0.1", "where to listen: the node's address")
    port: int = flags.option(53, "UDP and TCP")
    service_address: str = flags.option("", "the address under which pods know this server")
    cluster_domain: str = flags.option("cluster.local", "the zone of the cluster")
    ranges: tuple[str, ...] = flags.option((), "pod and service ranges, whose reverse names are ours")
    resolv_conf: str = flags.option("/etc/resolv.conf", "names the resolvers for other zones")
    v: int = flags.option(0, "verbosity of the log")


async def run(
    options: Options, informers: Informers, clock: Clock | None = None, tell_unknown: Tell | None = None
) -> None:
    """Answer with the informers given, which the caller keeps running; returns only when cancelled.

    `tell_unknown` is called for services that are asked for and do not exist.

    Questions about names of the cluster wait until all of them are known. Raises OSError if the address cannot be
    listened on.
    """
    zone = Zone(options.cluster_domain, options.service_address, options.ranges)
    resolvers = Resolvers(Path(options.resolv_conf), frozenset({options.address, options.service_address} - {""}))
    resolver = Resolver(zone, Cache(clock or SystemClock()), Forwarder(resolvers))
    names = Names(informers, zone, resolver)
    unknown = UnknownNames(zone.domain, tell_unknown) if tell_unknown else None
    async with serving(resolver, options.address, options.port, unknown) as port:
        log.info("serving address=%s port=%d domain=%s", options.address, port, zone.domain)
        await names.wait_known()
        resolver.known.set()
        await asyncio.get_running_loop().create_future()


class Names:
    """Keeps a zone current with services and their endpoints."""

    def __init__(self, informers: Informers, zone: Zone, resolver: Resolver) -> None:
        self._zone = zone
        self._resolver = resolver
        self._services = informers.of(v1.Service)
        self._slices = informers.of(discovery.EndpointSlice)
        self._slices.add_index("service", lambda slice: [service_of(slice)])

    async def wait_known(self) -> None:
        """Until all names are in the zone, where they are kept current from now on."""
        await self._services.synced.wait()
        await self._slices.synced.wait()
        self._services.subscribe(self._on_service)
        self._slices.subscribe(self._on_slice)

    def _on_service(self, old: v1.Service | None, new: v1.Service | None) -> None:
        changed = new or old
        if changed is not None:
            self._update(f"{changed.metadata.namespace}/{changed.metadata.name}")

    def _on_slice(self, old: discovery.EndpointSlice | None, new: discovery.EndpointSlice | None) -> None:
        for service in {service_of(slice) for slice in (old, new) if slice is not None}:
            self._update(service)

    def _update(self, service: str) -> None:
        namespace, _, name = service.partition("/")
        slices = self._slices.by_index("service", service)
        self._zone.put(service, records_of(self._services.get(name, namespace), slices, self._zone.domain))
        self._resolver.forget()


async def run_alone(options: Options) -> None:
    """Answer with a connection and informers of its own."""
    async with connect(Config.from_kubeconfig(options.kubeconfig), user_agent="kube-dns") as client:
        informers = Informers(client)
        async with informers.running():
            await run(options, informers)


def main(arguments: Sequence[str]) -> int:
    options = flags.parse(Options, "p8s dns", arguments, "Answers questions about services and pods.")
    return process.run_alone("dns", lambda: run_alone(options), ConfigError, verbosity=options.v)
