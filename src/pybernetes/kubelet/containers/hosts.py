"""The /etc/hosts of a pod, and its host name. Pure."""

from collections.abc import Iterable

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import name_of, namespace_of

MAX_HOSTNAME = 63
_LOCAL = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hostname(pod: v1.Pod) -> str:
    """spec.hostname or the pod's name, cut to what the kernel takes."""
    if pod.spec.hostname_override:
        return pod.spec.hostname_override
    name = pod.spec.hostname or name_of(pod)
    return name[:MAX_HOSTNAME].rstrip("-.")


def domain(pod: v1.Pod, cluster_domain: str) -> str:
    """`<subdomain>.<namespace>.svc.<zone>`, empty for a pod without a subdomain."""
    if pod.spec.hostname_override or not pod.spec.subdomain:
        return ""
    return f"{pod.spec.subdomain}.{namespace_of(pod)}.svc.{cluster_domain}"


def sandbox_hostname(pod: v1.Pod, cluster_domain: str, node_name: str) -> str:
    """What uname tells inside the pod. The node's own name for a pod on the node's network."""
    if pod.spec.host_network and not pod.spec.hostname_override:
        return node_name
    name, zone = hostname(pod), domain(pod, cluster_domain)
    return f"{name}.{zone}" if pod.spec.set_hostname_as_fqdn and zone else name


def hosts_file(pod: v1.Pod, ips: Iterable[str], cluster_domain: str) -> str:
    """The managed file of a pod with its own network."""
    name, zone = hostname(pod), domain(pod, cluster_domain)
    own = f"{name}.{zone}\t{name}" if zone else name
    return _LOCAL + "".join(f"{ip}\t{own}\n" for ip in ips) + _aliases(pod)


def host_network_hosts_file(pod: v1.Pod, of_node: str) -> str:
    """The node's own file, with the pod's aliases."""
    head = "# Kubernetes-managed hosts file (host network).\n"
    return head + of_node + _aliases(pod)


def _aliases(pod: v1.Pod) -> str:
    if not pod.spec.host_aliases:
        return ""
    lines = (f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in pod.spec.host_aliases)
    return "\n# Entries added by HostAliases.\n" + "".join(lines)
