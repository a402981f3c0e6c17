"""A node's agent: kubelet, proxy and DNS in one process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pybernetes.aio.tasks import keep_running, open_scope
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.cluster.component import END_PODS
from pybernetes.cluster.node import Node
from pybernetes.dns import main as dns
from pybernetes.kubelet import run as kubelet
from pybernetes.kubelet.names_asked import Asked
from pybernetes.kubelet.options import parse
from pybernetes.process import run_until_terminated
from pybernetes.proxy import main as proxy
from pybernetes.runtime.network import namespace

PROXY_HEALTH_PORT, PROXY_METRICS_PORT = 10256, 10249

ASKED = 64
"""Wrong names that may wait for the kubelet to tell them."""


def kubelet_arguments(node: Node) -> list[str]:
    """The kubelet's flags, under upstream's names."""
    profile, pki = node.profile, node.profile.certificates
    return [
        f"--kubeconfig={profile.kubeconfig(node.named('kubelet'))}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        f"--address={node.address}",
        f"--root-dir={node.state / 'kubelet'}",
        f"--pod-logs-dir={node.pod_logs}",
        f"--container-runtime-endpoint=unix://{node.runtime_socket}",
        f"--tls-cert-file={pki / node.named('kubelet-server')}.crt",
        f"--tls-private-key-file={pki / node.named('kubelet-server')}.key",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--pod-cidr={node.pod_cidr}",
        f"--cluster-dns={profile.dns_address}",
        f"--cluster-domain={profile.settings.cluster_domain}",
        f"--resolv-conf={node.resolv_conf}",
        f"--cgroup-root={node.cgroup}",
        f"--shares-machine={str(not node.is_first).lower()}",
        # Upstream's 10 % of the disk would be tens of gigabytes of a laptop's.
        "--eviction-hard=memory.available<100Mi,nodefs.available<1%",
        *profile.extra_flags("kubelet"),
    ]


def proxy_options(node: Node) -> proxy.Options:
    return proxy.Options(
        hostname_override=node.name,
        cluster_cidr=node.profile.settings.pod_cidr,
        table=f"{node.profile.bridge}-services",
        network_policies=f"{node.profile.bridge}-policies",
        balances=node.is_first,
        # kube-proxy's ports; the loopback of the first node is the machine's, which may have several clusters.
        healthz_bind_address=f"{node.address}:{PROXY_HEALTH_PORT}",
        spare_bind_addresses=(f"127.0.0.1:{PROXY_HEALTH_PORT}", f"127.0.0.1:{PROXY_METRICS_PORT}"),
    )


def dns_options(node: Node) -> dns.Options:
    profile, settings = node.profile, node.profile.settings
    return dns.Options(
        address=node.address,
        service_address=profile.dns_address,
        cluster_domain=settings.cluster_domain,
        ranges=(settings.pod_cidr, settings.service_cidr),
        resolv_conf=str(node.resolv_conf),
    )


def write_resolv_conf(node: Node) -> None:
    """The machine's, but with the first node's resolver, which every other node reaches."""
    kept = [line for line in _machine_resolv_conf() if line.split()[:1] != ["nameserver"]]
    node.resolv_conf.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    node.resolv_conf.write_text("\n".join([*kept, f"nameserver {node.profile.node_address}", ""]))


def _machine_resolv_conf() -> list[str]:
    try:
        return Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        return []


async def run(node: Node) -> None:
    """All parts until cancelled; told to end its pods, until they have ended."""
    options = parse(kubelet_arguments(node))
    ending, asked = asyncio.Event(), Asked(ASKED)
    asyncio.get_running_loop().add_signal_handler(END_PODS, ending.set)
    async with open_scope("agent") as scope:
        scope.spawn(keep_running(lambda: serve_services(node, asked), "services"), "services")
        run_pods = keep_running(
            lambda: kubelet.run(options, ending=ending, asked=asked), "kubelet", until=ending.is_set
        )
        pods = scope.spawn(run_pods, "kubelet")
        await pods


async def serve_services(node: Node, asked: Asked) -> None:
    """Addresses and names of services, from one set of caches; names that are not there go to `asked`."""

    def tell(address: str, name: str) -> None:
        if not asked.full():
            asked.put_nowait((address, name))

    config = Config.from_kubeconfig(node.profile.kubeconfig(node.named("proxy")))
    async with connect(config, user_agent="kube-proxy") as client:
        informers = Informers(client)
        async with informers.running(), asyncio.TaskGroup() as group:
            group.create_task(proxy.run(proxy_options(node), informers), name="proxy")
            group.create_task(dns.run(dns_options(node), informers, tell_unknown=tell), name="dns")


def main(node: Node) -> None:
    """Until SIGTERM, in the node's network namespace."""
    if node.namespace is not None:
        write_resolv_conf(node)
        namespace.enter(node.namespace)
    run_until_terminated("agent", lambda: run(node))
