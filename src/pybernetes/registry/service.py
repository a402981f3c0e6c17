"""What the end points share."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable

from aiohttp import web
from msgspec import Struct

from pybernetes.registry import names
from pybernetes.registry.storage import Storage
from pybernetes.registry.uploads import Uploads

Import = Callable[[str, str], Awaitable[None]]
"""Make the manifest of this digest an image of the cluster, under `repository:tag` of this registry."""

Forget = Callable[[str], Awaitable[None]]
"""Take the name `repository:tag` of this registry away from the cluster's images."""


class Service(Struct, frozen=True):
    """The registry's parts."""

    storage: Storage
    uploads: Uploads
    add_image: Import
    forget_image: Forget


SERVICE = web.AppKey("service", Service)


def service(request: web.Request) -> Service:
    return request.app[SERVICE]


def repository(request: web.Request) -> str:
    """The repository of the path. Raises RegistryError."""
    return names.repository(request.match_info["name"])


def is_trusted(request: web.Request) -> bool:
    """Whether the caller is on this machine, by the loopback address at which it came in; pods come in at another."""
    address = request.transport.get_extra_info("sockname") if request.transport else None
    return address is not None and ipaddress.ip_address(address[0]).is_loopback
