"""Where registries are and how they may be spoken to."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pybernetes.wire.images.reference import DOCKER_HUB

_DOCKER_HUB_HOST = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """`mirrors`: host of an image name to URLs that are asked first. `insecure`: hosts (with port) in plain HTTP.

    `credentials` is a docker config.json, read at each pull; `ca_file` holds CAs in addition to the system's.
    """

    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    insecure: frozenset[str] = frozenset()
    credentials: Path | None = None
    ca_file: Path | None = None
    parallel_downloads: int = 4

    @staticmethod
    def parse_mirrors(values: list[str]) -> dict[str, tuple[str, ...]]:
        """The values of `--registry-mirror host=url`, in order. Raises ValueError."""
        mirrors: dict[str, tuple[str, ...]] = {}
        for value in values:
            host, equals, url = value.partition("=")
            parts = urlsplit(url)
            if not equals or not host or parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"registry mirror {value!r} is not of the form host=http(s)://host[:port]")
            mirrors[host] = (*mirrors.get(host, ()), url.rstrip("/"))
        return mirrors


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that has a registry's images: the registry itself or a mirror of it."""

    url: str
    mirror: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


def endpoints(domain: str, options: RegistryOptions) -> list[Endpoint]:
    """The servers to ask for images of `domain`: mirrors first, the registry last."""
    mirrors = [Endpoint(url, mirror=True) for url in options.mirrors.get(domain, ())]
    return [*mirrors, upstream(domain, options)]


def upstream(domain: str, options: RegistryOptions) -> Endpoint:
    """The registry itself: plain HTTP for this machine and for hosts that are said to be insecure."""
    host = _DOCKER_HUB_HOST if domain == DOCKER_HUB else domain
    scheme = "http" if domain in options.insecure or is_this_machine(domain) else "https"
    return Endpoint(f"{scheme}://{host}")


def is_this_machine(domain: str) -> bool:
    """Whether the host is a loopback address or `localhost`."""
    host = urlsplit(f"//{domain}").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
