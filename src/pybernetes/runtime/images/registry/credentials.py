"""Who we are to a registry: CRI's AuthConfig, or the `auths` of a docker config.json."""

import base64
import binascii
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from pybernetes.cri.types import AuthConfig
from pybernetes.wire.images.reference import DOCKER_HUB


class CredentialsError(ValueError):
    """The credentials cannot be read."""


class Credential(Struct, frozen=True):
    """A name with a password, or a refresh token (`identity_token`), or a bearer token as it stands."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class _Auth(msgspec.Struct, frozen=True, rename="lower"):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _DockerConfig(msgspec.Struct, frozen=True):
    auths: dict[str, _Auth] = {}


def from_auth_config(auth: AuthConfig | None) -> Credential | None:
    """None if nothing is in it. Raises CredentialsError."""
    if auth is None:
        return None
    username, password = auth.username, auth.password
    if auth.auth and not username:
        username, password = _decode(auth.auth)
    credential = Credential(username, password, auth.identity_token, auth.registry_token)
    return credential if credential != Credential() else None


def from_docker_config(path: Path, domain: str, repository: str) -> Credential | None:
    """What the file has for the registry; the entry with the longest matching path wins. Raises CredentialsError."""
    try:
        config = msgspec.json.decode(path.read_bytes(), type=_DockerConfig)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise CredentialsError(f"cannot read credentials of {path}: {error}") from error
    fitting = [(key, auth) for key, auth in config.auths.items() if _matches(key, domain, repository)]
    if not fitting:
        return None
    auth = max(fitting, key=lambda pair: len(_key(pair[0])[1]))[1]
    return from_auth_config(
        AuthConfig(
            username=auth.username,
            password=auth.password,
            auth=auth.auth,
            identity_token=auth.identitytoken,
            registry_token=auth.registrytoken,
        )
    )


def _matches(key: str, domain: str, repository: str) -> bool:
    host, path = _key(key)
    return host == domain and (not path or repository == path or repository.startswith(f"{path}/"))


def _key(key: str) -> tuple[str, str]:
    """Host and path of an entry: `https://index.docker.io/v1/`, `ghcr.io`, `registry.example/team`."""
    parts = urlsplit(key if "://" in key else f"//{key}")
    host = DOCKER_HUB if parts.netloc in ("index.docker.io", "registry-1.docker.io") else parts.netloc
    path = parts.path.strip("/")
    return host, "" if path in ("v1", "v2") else path


def _decode(auth: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise CredentialsError("invalid base64 in registry credentials") from None
    if not colon:
        raise CredentialsError("invalid registry credentials: no colon")
    return username, password.rstrip("\0")
