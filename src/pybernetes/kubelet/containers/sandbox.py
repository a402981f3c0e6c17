"""The sandbox configuration of a pod."""

from pathlib import Path

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet import names
from pybernetes.kubelet.cgroups import cgroup_parent, pod_resources
from pybernetes.kubelet.containers.dns import DnsSettings, dns_config
from pybernetes.kubelet.containers.hosts import sandbox_hostname
from pybernetes.kubelet.containers.security import sandbox_security
from pybernetes.kubelet.podspec import name_of, namespace_of, uid_of

PROTOCOLS = {"TCP": t.Protocol.TCP, "UDP": t.Protocol.UDP, "SCTP": t.Protocol.SCTP}


class NodeSettings(Struct, frozen=True):
    """What sandboxes of this node have in common."""

    node_name: str
    cgroup_root: str
    pod_logs: Path
    dns: DnsSettings


def log_directory(pod: v1.Pod, pod_logs: Path) -> Path:
    """`<pod logs>/<namespace>_<name>_<uid>`."""
    return pod_logs / f"{namespace_of(pod)}_{name_of(pod)}_{uid_of(pod)}"


def pod_labels(pod: v1.Pod) -> dict[str, str]:
    """By which the runtime's objects are found again."""
    return {names.POD_NAME: name_of(pod), names.POD_NAMESPACE: namespace_of(pod), names.POD_UID: uid_of(pod)}


def sandbox_config(
    pod: v1.Pod, attempt: int, settings: NodeSettings, users: t.UserNamespace | None = None
) -> t.PodSandboxConfig:
    """The configuration that creates the sandbox; the same is passed with each container of it."""
    sysctls = pod.spec.security_context.sysctls if pod.spec.security_context else []
    return t.PodSandboxConfig(
        metadata=t.PodSandboxMetadata(name=name_of(pod), uid=uid_of(pod), namespace=namespace_of(pod), attempt=attempt),
        hostname=sandbox_hostname(pod, settings.dns.cluster_domain, settings.node_name),
        log_directory=str(log_directory(pod, settings.pod_logs)),
        dns_config=dns_config(pod, settings.dns),
        port_mappings=_port_mappings(pod),
        labels=pod.metadata.labels | pod_labels(pod),
        annotations=pod.metadata.annotations,
        linux=t.LinuxPodSandboxConfig(
            cgroup_parent=cgroup_parent(pod, settings.cgroup_root),
            security_context=sandbox_security(pod, users),
            sysctls={sysctl.name: sysctl.value for sysctl in sysctls},
            resources=pod_resources(pod),
        ),
    )


def _port_mappings(pod: v1.Pod) -> list[t.PortMapping]:
    """Host ports; pods on the node's network have none to map."""
    if pod.spec.host_network:
        return []
    return [
        t.PortMapping(
            protocol=PROTOCOLS.get(port.protocol or "TCP", t.Protocol.TCP),
            container_port=port.container_port,
            host_port=port.host_port or 0,
            host_ip=port.host_ip or "",
        )
        for container in [*pod.spec.init_containers, *pod.spec.containers]
        for port in container.ports
        if port.host_port
    ]
