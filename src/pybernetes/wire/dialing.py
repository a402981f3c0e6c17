"""The words of Go's network errors, in which upstream reports failed connections."""

import errno
import socket

_WORDS = {
    errno.ECONNREFUSED: "connect: connection refused",
    errno.EHOSTUNREACH: "connect: no route to host",
    errno.ENETUNREACH: "connect: network is unreachable",
    errno.ETIMEDOUT: "connect: connection timed out",
    errno.ECONNRESET: "read: connection reset by peer",
}


def dial_error(host: str, port: int, error: BaseException) -> str:
    """`dial tcp 10.244.0.5:80: connect: connection refused`."""
    address = join(host, port)
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return f"dial tcp {address}: i/o timeout"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    number = getattr(error, "errno", None)
    return f"dial tcp {address}: {_WORDS.get(number or 0, str(error))}"


def join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
