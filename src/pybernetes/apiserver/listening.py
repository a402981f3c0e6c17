"""Where the server listens, and what it shows of itself there."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address, ip_network
from pathlib import Path

from pybernetes.aio.clock import Clock
from pybernetes.aio.tls import server_context, serving_files
from pybernetes.apiserver.options import Options


def listening_addresses(options: Options) -> list[str]:
    """The bind address, and the advertised one where the first does not cover it: pods come that way."""
    if not options.advertise_address or ip_address(options.bind_address).is_unspecified:
        return [options.bind_address]
    return list(dict.fromkeys((options.bind_address, options.advertise_address)))


def server_tls(options: Options, clock: Clock) -> ssl.SSLContext | None:
    """None, and so plain HTTP, only if neither a certificate is given nor a place to keep one."""
    if not options.tls_cert_file and not options.cert_dir:
        return None
    given = options.tls_cert_file, options.tls_private_key_file
    files = serving_files(*given, Path(options.cert_dir), "apiserver", _hosts(options), clock.now())
    authorities = options.client_ca_file, options.requestheader_client_ca_file
    minimum = _tls_version(options.tls_min_version)
    # Who comes with a certificate that is out of date is told so, with 401, as by upstream's.
    return server_context(*files, *authorities, minimum=minimum, judges_time=False)


def _hosts(options: Options) -> list[str]:
    """Whom a certificate of our own has to stand for."""
    first_service = str(ip_network(options.service_cluster_ip_range.split(",")[0])[1])
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    addresses = [options.bind_address, options.advertise_address, "127.0.0.1", first_service]
    return ["localhost", socket.gethostname(), *service, *addresses]


def _tls_version(name: str) -> ssl.TLSVersion:
    """Raises ValueError, as upstream, for what is none; 1.0 and 1.1 are not offered to anybody."""
    if name in ("", "VersionTLS10", "VersionTLS11", "VersionTLS12"):
        return ssl.TLSVersion.TLSv1_2
    if name == "VersionTLS13":
        return ssl.TLSVersion.TLSv1_3
    raise ValueError(f'unknown tls version "{name}"')
