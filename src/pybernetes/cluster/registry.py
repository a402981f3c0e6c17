"""Where a cluster's own registry is, and under which names."""

from __future__ import annotations

from pybernetes.cluster.listening import Listener
from pybernetes.cluster.profile import Profile

SERVICE, NAMESPACE, SERVICE_PORT = "registry", "kube-system", 5000
SERVICE_HOST = f"{SERVICE}.{NAMESPACE}:{SERVICE_PORT}"
"""What pods call it."""


def host(profile: Profile) -> str:
    """What its images are called after on this machine and in pod specs: `localhost:5000`."""
    return f"localhost:{profile.settings.registry_port}"


def listeners(profile: Profile) -> tuple[Listener, ...]:
    """Loopback for this machine; the node's address for pods, by way of the service."""
    port = profile.settings.registry_port
    return Listener(("127.0.0.1", port)), Listener((profile.node_address, port))


def mirrors(profile: Profile) -> list[str]:
    """Values of `--registry-mirror`, so that every node finds it under each of its names, whatever its localhost is."""
    port, domain = profile.settings.registry_port, profile.settings.cluster_domain
    services = [f"{SERVICE}.{NAMESPACE}.svc.{domain}", f"{SERVICE}.{NAMESPACE}.svc", f"{SERVICE}.{NAMESPACE}"]
    names = [host(profile), f"127.0.0.1:{port}", *(f"{name}:{SERVICE_PORT}" for name in services)]
    return [f"{name}=http://{profile.node_address}:{port}" for name in names]
