"""p8s proxy: the service proxy as a process of its own, with kube-proxy's flags."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from pybernetes import flags, process
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.proxy.backends.nftables.backend import NftablesBackend
from pybernetes.proxy.backends.nftables.pieces import Masquerade
from pybernetes.proxy.backends.nftables.policies import PolicyBackend
from pybernetes.proxy.health import Health, serving, serving_spare
from pybernetes.proxy.policies.enforcer import Enforcer
from pybernetes.proxy.proxier import Proxier
from pybernetes.proxy.sysctls import set_conntrack

TABLE = "pybernetes-proxy"


@dataclass(frozen=True, slots=True)
class Options:
    """Names and defaults are upstream's, but for `table`; and nothing is served unless asked, since a machine may
    have several proxies."""

    kubeconfig: str = flags.option("", "credentials for the API server")
    hostname_override: str = flags.option("", "the node's name; the machine's own if empty")
    proxy_mode: str = flags.option("nftables", "how services are made to work; only nftables")
    cluster_cidr: str = flags.option("", "the range of pods; what comes from elsewhere is masqueraded")
    masquerade_all: bool = flags.option(False, "masquerade everything that is sent to a cluster address")
    iptables_masquerade_bit: int = flags.option(14, "the bit of the packet mark that asks for masquerading")
    sync_period: float = flags.option(30.0, "how often to check that the table is still there")
    min_sync_period: float = flags.option(0.0, "the least time between two syncs")
    conntrack_tcp_timeout_established: float = flags.option(
        86400.0, "how long an idle connection is remembered; 0: as the kernel has it"
    )
    conntrack_tcp_timeout_close_wait: float = flags.option(3600.0, "the same, of one that a side has closed")
    conntrack_tcp_be_liberal: bool = flags.option(False, "let packets pass that are out of their connection's window")
    healthz_bind_address: str = flags.option("", "host:port of /healthz and /livez; none if empty")
    metrics_bind_address: str = flags.option("", "host:port of /metrics; none if empty")
    spare_bind_addresses: tuple[str, ...] = flags.option((), "more of these, each left out if somebody has it already")
    balances: bool = flags.option(False, "this node has the addresses of load balancers, and all others behind it")
    cleanup: bool = flags.option(False, "remove the table and exit")
    table: str = flags.option(TABLE, "the nftables table: one per proxy of a machine")
    network_policies: str = flags.option("", "the nftables table for NetworkPolicies; they are not enforced if empty")
    v: int = flags.option(0, "verbosity of the log")

    @property
    def node_name(self) -> str:
        return (self.hostname_override or platform.node()).lower()


async def run(options: Options, informers: Informers, clock: Clock | None = None) -> None:
    """Keep the table with the informers given, which the caller keeps running; returns only when cancelled.

    The table stays when this ends: services go on, as last known. Raises ValueError for options that cannot work.
    """
    clock = clock or SystemClock()
    set_conntrack(conntrack_settings(options))
    backend, health = open_backend(options), Health(clock)
    try:
        async with (
            serving(health, options.healthz_bind_address, options.metrics_bind_address),
            serving_spare(health, options.spare_bind_addresses),
            asyncio.TaskGroup() as group,
        ):
            if options.network_policies:
                group.create_task(enforce_policies(options, informers, clock), name="policies")
            proxier = Proxier(informers, backend, options.node_name, clock, health, balances=options.balances)
            await proxier.run(check_seconds=options.sync_period, pause_seconds=options.min_sync_period)
    finally:
        backend.close()


def conntrack_settings(options: Options) -> dict[str, int]:
    return {
        "nf_conntrack_tcp_timeout_established": int(options.conntrack_tcp_timeout_established),
        "nf_conntrack_tcp_timeout_close_wait": int(options.conntrack_tcp_timeout_close_wait),
        "nf_conntrack_tcp_be_liberal": int(options.conntrack_tcp_be_liberal),
    }


async def enforce_policies(options: Options, informers: Informers, clock: Clock) -> None:
    """Returns only when cancelled; what is refused stays so, as last known."""
    backend = PolicyBackend(options.network_policies)
    try:
        await Enforcer(informers, backend, options.node_name, clock).run(options.sync_period)
    finally:
        backend.close()


def open_backend(options: Options) -> NftablesBackend:
    """Raises ValueError for options that cannot work."""
    if options.proxy_mode != "nftables":
        raise ValueError(f"proxy mode {options.proxy_mode!r} is not supported: use nftables")
    if not 0 <= options.iptables_masquerade_bit <= 31:
        raise ValueError(f"masquerade bit {options.iptables_masquerade_bit} is not within 0-31")
    pods = IPv4Network(options.cluster_cidr) if options.cluster_cidr else None
    return NftablesBackend(
        options.table, Masquerade(1 << options.iptables_masquerade_bit, pods, all=options.masquerade_all)
    )


async def run_alone(options: Options) -> None:
    """Keep the table with a connection and informers of its own."""
    async with connect(Config.from_kubeconfig(options.kubeconfig), user_agent="kube-proxy") as client:
        informers = Informers(client)
        async with informers.running():
            await run(options, informers)


def cleanup(options: Options) -> None:
    """Take away what a proxy with these options has left. Safe to repeat."""
    backends: list[NftablesBackend | PolicyBackend] = [open_backend(options)]
    if options.network_policies:
        backends.append(PolicyBackend(options.network_policies))
    for backend in backends:
        backend.remove()
        backend.close()


def main(arguments: Sequence[str]) -> int:
    options = flags.parse(Options, "p8s proxy", arguments, "Leads packets for services to their endpoints.")
    if options.cleanup:
        try:
            cleanup(options)
        except (OSError, ValueError) as error:
            return process.report(error)
        return 0
    return process.run_alone("proxy", lambda: run_alone(options), ConfigError, ValueError, verbosity=options.v)
