"""A node's agent: kubelet, proxy and DNS in one process."""

from __future__ import annotations

import asyncio

from pybernetes.aio.tasks import keep_running, open_scope
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
from pybernetes.cluster.processes import runtime
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.supervisor import END_PODS
from pybernetes.dns import main as dns
from pybernetes.kubelet import run as kubelet
from pybernetes.kubelet.options import parse
from pybernetes.process import run_until_terminated
from pybernetes.proxy import main as proxy


def kubelet_arguments(profile: Profile) -> list[str]:
    """The kubelet's flags, under upstream's names."""
    pki = profile.certificates
    return [
        f"--kubeconfig={profile.kubeconfig('kubelet')}",
        f"--hostname-override={profile.node_name}",
        f"--node-ip={profile.node_address}",
        f"--address={profile.node_address}",
        f"--root-dir={profile.state / 'kubelet'}",
        f"--pod-logs-dir={profile.logs / 'pods'}",
        f"--container-runtime-endpoint=unix://{runtime.socket(profile)}",
        f"--tls-cert-file={pki / 'kubelet-server.crt'}",
        f"--tls-private-key-file={pki / 'kubelet-server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--pod-cidr={profile.first_node.pod_cidr}",
        f"--cluster-dns={profile.dns_address}",
        f"--cluster-domain={profile.settings.cluster_domain}",
        f"--cgroup-root={runtime.cgroup(profile)}",
        # Upstream's 10 % of the disk would be tens of gigabytes of a laptop's.
        "--eviction-hard=memory.available<100Mi,nodefs.available<1%",
    ]


def proxy_options(profile: Profile) -> proxy.Options:
    return proxy.Options(
        hostname_override=profile.node_name,
        cluster_cidr=profile.settings.pod_cidr,
        table=f"{profile.bridge}-services",
    )


def dns_options(profile: Profile) -> dns.Options:
    settings = profile.settings
    return dns.Options(
        address=profile.node_address,
        service_address=profile.dns_address,
        cluster_domain=settings.cluster_domain,
        ranges=(settings.pod_cidr, settings.service_cidr),
    )


async def run(profile: Profile) -> None:
    """All parts until cancelled; told to end its pods, until they have ended."""
    options = parse(kubelet_arguments(profile))
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(END_PODS, ending.set)
    async with open_scope("agent") as scope:
        scope.spawn(keep_running(lambda: serve_services(profile), "services"), "services")
        pods = scope.spawn(
            keep_running(lambda: kubelet.run(options, ending=ending), "kubelet", until=ending.is_set), "kubelet"
        )
        await pods


async def serve_services(profile: Profile) -> None:
    """Addresses and names of services, from one set of caches."""
    config = Config.from_kubeconfig(profile.kubeconfig("proxy"))
    async with connect(config, user_agent="kube-proxy") as client:
        informers = Informers(client)
        async with informers.running(), asyncio.TaskGroup() as group:
            group.create_task(proxy.run(proxy_options(profile), informers), name="proxy")
            group.create_task(dns.run(dns_options(profile), informers), name="dns")


def main(profile: Profile) -> None:
    run_until_terminated("agent", lambda: run(profile))
