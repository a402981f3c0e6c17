"""Why a request failed, in the words of Go's network errors."""

import errno
import http.client
import ssl
from urllib.parse import urlsplit

import aiohttp

from pybernetes.runtime.images.registry.errors import NetworkError


def network_error(method: str, url: str, error: BaseException) -> NetworkError:
    """The failure of a request, worded as the dialler's error."""
    is_proxy = isinstance(error, aiohttp.ClientConnectorError) and error.host != urlsplit(url).hostname
    return NetworkError(method, url, f"proxyconnect tcp: {_cause(error)}" if is_proxy else _cause(error))


def _cause(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: {_certificate(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "http: server gave HTTP response to HTTPS client" if "WRONG_VERSION" in str(error) else f"tls: {error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"dial tcp {error.host}:{error.port}: connect: {_system(error.os_error)}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return http.client.responses.get(error.status, str(error.status))
    if isinstance(error, TimeoutError):
        return "i/o timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error) or type(error).__name__


def _certificate(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        unknown = "unable to get local issuer" in error.verify_message or "self-signed" in error.verify_message
        return f"x509: {'certificate signed by unknown authority' if unknown else error.verify_message}"
    return f"x509: {error}"


def _system(error: OSError) -> str:
    words = {
        errno.ECONNREFUSED: "connection refused",
        errno.ENETUNREACH: "network is unreachable",
        errno.EHOSTUNREACH: "no route to host",
        errno.ETIMEDOUT: "connection timed out",
    }
    return words.get(error.errno or 0, (error.strerror or str(error)).lower())
