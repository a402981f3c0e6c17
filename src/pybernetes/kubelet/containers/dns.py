"""The resolver configuration of a pod: its dnsPolicy and dnsConfig over the node's own. Pure."""

from collections.abc import Iterable

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t

MAX_NAMESERVERS = 3
MAX_SEARCHES = 32
MAX_SEARCH_CHARACTERS = 2048


class Resolver(Struct, frozen=True):
    """The content of a resolv.conf."""

    servers: list[str] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)


class DnsSettings(Struct, frozen=True):
    """The cluster's name service, and the node's own resolver."""

    cluster_dns: list[str]
    cluster_domain: str
    host: Resolver


def parse_resolv_conf(text: str) -> Resolver:
    """Read a resolv.conf; the last `search` and all `options` count."""
    resolver = Resolver()
    for line in text.splitlines():
        match line.split("#")[0].split(";")[0].split():
            case ["nameserver", server, *_]:
                resolver.servers.append(server)
            case ["search" | "domain", *names]:
                resolver.searches[:] = [name.rstrip(".") or "." for name in names]
            case ["options", *options]:
                resolver.options[:] = options
    return resolver


def dns_config(pod: v1.Pod, settings: DnsSettings) -> t.DNSConfig:
    """What the runtime writes into the pod's resolv.conf."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    cluster_first = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not pod.spec.host_network)
    host = settings.host
    if policy == "None":
        made = Resolver()
    elif cluster_first and settings.cluster_dns:
        namespace, zone = pod.metadata.namespace, settings.cluster_domain
        made = Resolver(
            settings.cluster_dns,
            [f"{namespace}.svc.{zone}", f"svc.{zone}", zone, *host.searches],
            ["ndots:5"],
        )
    else:
        made = host
    return _limited(_with_extra(made, pod.spec.dns_config))


def _with_extra(made: Resolver, extra: v1.PodDNSConfig | None) -> Resolver:
    if extra is None:
        return made
    options = {option.partition(":")[0]: option for option in made.options}
    for option in extra.options:
        name = option.name or ""
        options[name] = name if option.value is None else f"{name}:{option.value}"
    return Resolver(
        _unique([*made.servers, *extra.nameservers]),
        _unique([*made.searches, *extra.searches]),
        list(options.values()),
    )


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _limited(made: Resolver) -> t.DNSConfig:
    """What libc reads at most; the rest is left out as upstream leaves it out."""
    searches = made.searches[:MAX_SEARCHES]
    while searches and len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        searches.pop()
    return t.DNSConfig(servers=made.servers[:MAX_NAMESERVERS], searches=searches, options=made.options)
