"""The credentials that a client sends along: docker's X-Registry-Auth and X-Registry-Config."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from pybernetes.cri.types import AuthConfig
from pybernetes.docker.errors import DockerError
from pybernetes.wire.images.reference import DOCKER_HUB, InvalidReferenceError, parse

T = TypeVar("T")
_STANDARD = str.maketrans("-_", "+/")


class _Auth(msgspec.Struct, frozen=True, rename="lower"):
    username: str = ""
    password: str = ""
    auth: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


def decode(header: str) -> AuthConfig | None:
    """The value of X-Registry-Auth, base64 in either alphabet; None if it is empty. Raises DockerError."""
    if not header:
        return None
    return _meant(_decoded(header, "X-Registry-Auth", _Auth))


def decode_login(body: bytes) -> tuple[str, AuthConfig]:
    """The host and the credential of a login's body. Raises DockerError."""
    try:
        given = msgspec.json.decode(body, type=_Auth)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DockerError(400, f"invalid login: {error}") from error
    return _host(given.serveraddress or DOCKER_HUB), _meant(given) or AuthConfig()


def for_build(header: str) -> Callable[[str], AuthConfig | None]:
    """The value of X-Registry-Config (all that the client has) as the credential for an image's name."""
    given = _decoded(header, "X-Registry-Config", dict[str, _Auth]) if header else {}
    by_host = {_host(server): _meant(auth) for server, auth in given.items()}

    def find(name: str) -> AuthConfig | None:
        try:
            return by_host.get(parse(name).domain)
        except InvalidReferenceError:
            return None

    return find


def _decoded(header: str, name: str, kind: type[T]) -> T:
    padded = header.translate(_STANDARD) + "=" * (-len(header) % 4)
    try:
        return msgspec.json.decode(base64.b64decode(padded), type=kind)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DockerError(400, f"invalid {name} header: {error}") from error


def _host(server: str) -> str:
    """`https://index.docker.io/v1/` is docker.io."""
    host = urlsplit(server if "://" in server else f"//{server}").netloc
    return DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io") else host


def _meant(given: _Auth) -> AuthConfig | None:
    auth = AuthConfig(
        username=given.username,
        password=given.password,
        auth=given.auth,
        identity_token=given.identitytoken,
        registry_token=given.registrytoken,
    )
    return auth if auth != AuthConfig() else None
