"""The configuration of encryption: `EncryptionConfiguration` of `apiserver.config.k8s.io/v1`, checked as upstream does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pybernetes.api import field as fields
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.configuration import ConfigurationError, decode, read, refuse
from pybernetes.apiserver.encryption.providers import AESCBC, GCM, Chain, Identity, Provider, SecretBox

AES_SIZES: Final = (16, 24, 32)
BOX_SIZES: Final = (32,)
NO_API: Final = ("apiserveripinfo", "serviceipallocations", "servicenodeportallocations")
WORDS: Final = {
    "capital": "resource name should not contain capital letters",
    "star": "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
    "no-api": "resources which do not have REST API/s cannot be encrypted",
    "events": "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. "
    "Use 'events' instead in the config file",
    "extensions": "'extensions' group has been removed and cannot be used for encryption",
    "across": "encrypting the same resource across groups is not supported",
    "twice": "the same resource cannot be specified multiple times",
    "overlap": "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they "
    "will be masked",
    "none": "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity",
    "many": "more than one provider specified in a single element, should split into different list elements",
}


class _Key(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    secret: str = ""


class _Keys(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[_Key] = []


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Provider(msgspec.Struct, forbid_unknown_fields=True):
    kms: dict[str, Any] | None = None
    aesgcm: _Keys | None = None
    aescbc: _Keys | None = None
    secretbox: _Keys | None = None
    identity: _Nothing | None = None


class _Resources(msgspec.Struct, forbid_unknown_fields=True):
    resources: list[str] = []
    providers: list[_Provider] = []


class _Configuration(msgspec.Struct, forbid_unknown_fields=True):
    resources: list[_Resources] = []


@dataclass(frozen=True, slots=True)
class Encryption:
    """Whose values are encrypted, in order: the first entry that names a resource counts."""

    entries: Sequence[tuple[Sequence[tuple[str, str]], Chain]]
    """Pairs of group and resource, either of which may be "*", and how their values are stored."""

    def chain(self, group: str, plural: str) -> Chain | None:
        for names, chain in self.entries:
            if any(one in ((group, plural), (group, "*"), ("*", "*")) for one in names):
                return chain
        return None


def load(path: str) -> Encryption:
    """The configuration in a file. Raises ConfigurationError."""
    try:
        text = read(path)
    except ConfigurationError as error:
        raise ConfigurationError(f'error opening encryption provider configuration file "{path}": {error}') from error
    try:
        return parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(
            f'error while parsing encryption provider configuration file "{path}": error while parsing file: {error}'
        ) from error


def parse(text: str) -> Encryption:
    """Raises ConfigurationError."""
    config = decode(text, {("apiserver.config.k8s.io/v1", "EncryptionConfiguration"): _Configuration})
    refuse(list(_errors(config)))
    return Encryption(
        [
            ([_split(name) for name in one.resources], Chain([made for each in one.providers for made in _make(each)]))
            for one in config.resources
        ]
    )


def _split(name: str) -> tuple[str, str]:
    """`deployments.apps` is a resource and its group; `*.` are all of the core group."""
    plural, _, group = name.partition(".")
    return group, plural


def _make(provider: _Provider) -> Iterator[Provider]:
    if provider.identity is not None:
        yield Identity()
    makers: tuple[tuple[_Keys | None, Callable[[str, bytes], Provider]], ...] = (
        (provider.aescbc, AESCBC),
        (provider.aesgcm, GCM),
        (provider.secretbox, SecretBox),
    )
    for keys, make in makers:
        for key in keys.keys if keys else ():
            try:
                yield make(key.name, base64.b64decode(key.secret))
            except ImportError as error:
                raise ConfigurationError("secretbox needs PyNaCl: pip install 'pybernetes[secretbox]'") from error


# Checks.


def _errors(config: _Configuration) -> Iterator[FieldError]:
    root = Path("resources")
    if not config.resources:
        yield fields.required(root, "at least one resources is required")
    for index, entry in enumerate(config.resources):
        names, providers = root.index(index).child("resources"), root.index(index).child("providers")
        if not entry.resources:
            yield fields.required(names, f"at least one {names} is required")
        yield from _overlaps(entry.resources, names)
        for place, name in enumerate(entry.resources):
            if wrong := _wrong_name(name):
                yield fields.invalid(names.index(place), name, WORDS[wrong])
        if not entry.providers:
            yield fields.required(providers, f"at least one {providers} is required")
        for place, provider in enumerate(entry.providers):
            yield from _provider_errors(provider, providers.index(place))


def _overlaps(names: list[str], path: Path) -> Iterator[FieldError]:
    pairs = [_split(name) for name in names]
    if len(set(pairs)) < len(pairs):
        yield fields.invalid(path, names, WORDS["twice"])
    different = set(pairs)
    masks = [(group, plural) for group, plural in different if plural == "*"]
    if any(
        mask == ("*", "*") or mask[0] == other[0] for mask in masks for other in different if other != mask
    ):  # fmt: skip
        yield fields.invalid(path, names, WORDS["overlap"])


def _wrong_name(name: str) -> str:
    """Which of the words holds; "" for a good one."""
    group, plural = _split(name)
    if name.lower() != name:
        return "capital"
    if name == "*":
        return "star"
    if name in NO_API:
        return "no-api"
    if group == "events.k8s.io":
        return "events"
    if group == "extensions":
        return "extensions"
    return "across" if group == "*" and plural != "*" else ""


def _provider_errors(provider: _Provider, path: Path) -> Iterator[FieldError]:
    given = [
        name for name in ("kms", "aesgcm", "aescbc", "secretbox", "identity") if getattr(provider, name) is not None
    ]
    if len(given) != 1:
        yield fields.invalid(path, "REDACTED", WORDS["many" if given else "none"])
    elif given == ["kms"]:
        yield fields.invalid(
            path.child("kms"), provider.kms and provider.kms.get("name", ""), "KMS plugins are not supported"
        )
    elif given != ["identity"]:
        keys: _Keys = getattr(provider, given[0])
        yield from _key_errors(
            keys, path.child(given[0]).child("keys"), BOX_SIZES if given == ["secretbox"] else AES_SIZES
        )


def _key_errors(keys: _Keys, path: Path, sizes: Sequence[int]) -> Iterator[FieldError]:
    if not keys.keys:
        yield fields.required(path, "at least one keys is required")
    for index, key in enumerate(keys.keys):
        here = path.index(index)
        if not key.name:
            yield fields.required(here.child("name"), "name is a mandatory field for a key")
        if not key.secret:
            yield fields.required(here.child("secret"), "secret is a mandatory field for a key")
            continue
        try:
            size = len(base64.b64decode(key.secret, validate=True))
        except (binascii.Error, ValueError):
            yield fields.invalid(here.child("secret"), "REDACTED", "secrets must be base64 encoded")
            continue
        if size not in sizes:
            wanted = " ".join(map(str, sizes))
            words = f"secret is not of the expected length, got {size}, expected one of [{wanted}]"
            yield fields.invalid(here.child("secret"), "REDACTED", words)
