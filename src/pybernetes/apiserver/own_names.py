"""Under which address and name a server is known to others."""

from __future__ import annotations

import base64
import hashlib
import socket

from pybernetes.apiserver.options import Options


def advertised_address(options: Options) -> str:
    """Where pods find this server."""
    return options.advertise_address or options.bind_address


def server_name(options: Options) -> str:
    """The name of this server among others, the same after each start."""
    seed = f"{socket.gethostname()} {advertised_address(options)} {options.secure_port}".encode()
    return f"apiserver-{base64.b32encode(hashlib.sha256(seed).digest()[:16]).decode().rstrip('=').lower()}"
