"""Pull secrets: which credentials of a docker config fit an image. Pure."""

import base64
import binascii
from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.objects import secret_data
from pybernetes.wire.images import reference

DOCKER_HUB = "index.docker.io"


class Entry(msgspec.Struct):
    """What a docker config has for a registry."""

    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _Config(msgspec.Struct):
    auths: dict[str, Entry] = {}


def credentials_for(image: str, secrets: Iterable[v1.Secret]) -> list[t.AuthConfig]:
    """Those that fit, the most specific first. Secrets that cannot be read have none."""
    return fitting(image, (pair for secret in secrets for pair in _entries(secret).items()))


def fitting(image: str, entries: Iterable[tuple[str, Entry]]) -> list[t.AuthConfig]:
    """Of pairs of pattern and credentials those that fit the image, the most specific first."""
    found = [(len(pattern), _auth(entry)) for pattern, entry in entries if matches(pattern, image)]
    return [auth for _, auth in sorted(found, key=lambda pair: -pair[0])]


def matches(pattern: str, image: str) -> bool:
    """Whether a pattern is of the image's registry or repository."""
    name = reference.parse(image)
    return _fits(pattern, name.domain, name.path)


def _entries(secret: v1.Secret) -> dict[str, Entry]:
    data = secret_data(secret)
    try:
        if config := data.get(".dockerconfigjson"):
            return msgspec.json.decode(config, type=_Config).auths
        if old := data.get(".dockercfg"):
            return msgspec.json.decode(old, type=dict[str, Entry])
    except msgspec.DecodeError:
        return {}
    return {}


def _fits(pattern: str, host: str, path: str) -> bool:
    """A pattern is a host, perhaps with wildcards in its labels, perhaps with the beginning of a path."""
    bare = pattern.removeprefix("https://").removeprefix("http://").rstrip("/")
    wanted_host, _, wanted_path = bare.partition("/")
    if wanted_host in (DOCKER_HUB, "docker.io", "registry-1.docker.io"):
        return host == "docker.io"
    if wanted_path in ("v1", "v2"):
        wanted_path = ""
    labels, given = wanted_host.split("."), host.split(".")
    if len(labels) != len(given) or not all(map(fnmatchcase, given, labels)):
        return False
    return not wanted_path or path == wanted_path or path.startswith(wanted_path + "/")


def _auth(entry: Entry) -> t.AuthConfig:
    username, password = entry.username, entry.password
    if entry.auth and not username:
        try:
            username, _, password = base64.b64decode(entry.auth).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            username = password = ""
    return t.AuthConfig(
        username=username,
        password=password,
        identity_token=entry.identitytoken,
        registry_token=entry.registrytoken,
    )
