"""The configuration of encryption: `EncryptionConfiguration` of `apiserver.config.k8s.io/v1`, checked as upstream does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from pybernetes.api import field as fields
from pybernetes.api.field import FieldError, Path, quote
from pybernetes.apiserver.configuration import ConfigurationError, decode, read, refuse
from pybernetes.apiserver.encryption.providers import (
    AESCBC,
    GCM,
    Chain,
    Identity,
    Provider,
    RemoteProvider,
    SecretBox,
)
from pybernetes.flags import duration

KMS_V1: Final = (
    "KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 instead.  "
    "Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature."
)
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


class _KMS(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    api_version: str = "v1"
    name: str = ""
    cachesize: int | None = None
    endpoint: str = ""
    timeout: str = "3s"


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Provider(msgspec.Struct, forbid_unknown_fields=True):
    kms: _KMS | None = None
    aesgcm: _Keys | None = None
    aescbc: _Keys | None = None
    secretbox: _Keys | None = None
    identity: _Nothing | None = None


class _Resources(msgspec.Struct, forbid_unknown_fields=True):
    resources: list[str] = []
    providers: list[_Provider] = []


class _Configuration(msgspec.Struct, forbid_unknown_fields=True):
    resources: list[_Resources] = []


class Encryption(Struct, frozen=True):
    """Whose values are encrypted, and with what."""

    chains: Mapping[tuple[str, str], Chain]
    """By group and resource, either of which may be "*"."""
    remote: Sequence[RemoteProvider] = ()
    """The providers whose keys are elsewhere."""

    def chain(self, group: str, plural: str) -> Chain | None:
        for name in ((group, plural), (group, "*"), ("*", "*")):
            if name in self.chains:
                return self.chains[name]
        return None


Plugins: TypeAlias = Callable[[str, str, float], RemoteProvider]
"""Makes the provider of a name, an endpoint and the seconds that a call may take."""


def load(path: str, plugins: Plugins) -> Encryption:
    """The configuration in a file. Raises ConfigurationError."""
    try:
        text = read(path)
    except ConfigurationError as error:
        words = f'error while parsing file: error while loading file: error opening encryption provider configuration file "{path}": {error}'
        raise ConfigurationError(words) from error
    return parse(text, path, plugins)


def parse(text: str, path: str, plugins: Plugins) -> Encryption:
    """`path` is for messages. Raises ConfigurationError."""
    try:
        config = decode(text, {("apiserver.config.k8s.io/v1", "EncryptionConfiguration"): _Configuration})
    except ConfigurationError as error:
        words = f'error while parsing file: error decoding encryption provider configuration file "{path}": {error}'
        raise ConfigurationError(words) from error
    try:
        refuse(list(_errors(config)))
    except ConfigurationError as error:
        raise ConfigurationError(f"error while parsing file: {error}") from error
    try:
        return _build(config, plugins)
    except ConfigurationError as error:
        raise ConfigurationError(f"error while building transformers: {error}") from error


def _build(config: _Configuration, plugins: Plugins) -> Encryption:
    found: dict[tuple[str, str], list[Provider]] = {}
    remote: list[RemoteProvider] = []
    for entry in config.resources:
        providers = [made for each in entry.providers for made in _make(each, plugins)]
        remote += [one for one in providers if isinstance(one, RemoteProvider)]
        for name in entry.resources:
            pair = _split(name)
            for rule in ((pair[0], "*"), ("*", "*")):
                if rule in found:
                    earlier = f"{rule[1]}.{rule[0]}"
                    raise ConfigurationError(f"resource {quote(name)} is masked by earlier rule {quote(earlier)}")
            found.setdefault(pair, []).extend(providers)
    return Encryption({name: Chain(chain) for name, chain in found.items()}, remote)


def _split(name: str) -> tuple[str, str]:
    """`deployments.apps` is a resource and its group; `*.` are all of the core group."""
    plural, _, group = name.partition(".")
    return group, plural


def _make(provider: _Provider, plugins: Plugins) -> Iterator[Provider]:
    if provider.identity is not None:
        yield Identity()
    if (kms := provider.kms) is not None:
        if kms.api_version == "v1":
            raise ConfigurationError(KMS_V1)
        yield plugins(kms.name, kms.endpoint, duration(kms.timeout))
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
    kms_names: set[str] = set()
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
            yield from _provider_errors(provider, providers.index(place), kms_names)


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


def _provider_errors(provider: _Provider, path: Path, kms_names: set[str]) -> Iterator[FieldError]:
    given = [
        name for name in ("kms", "aesgcm", "aescbc", "secretbox", "identity") if getattr(provider, name) is not None
    ]
    if len(given) != 1:
        yield fields.invalid(path, "REDACTED", WORDS["many" if given else "none"])
    elif provider.kms is not None:
        yield from _kms_errors(provider.kms, path.child("kms"), kms_names)
        kms_names.add(provider.kms.name)
    elif given != ["identity"]:
        keys: _Keys = getattr(provider, given[0])
        yield from _key_errors(
            keys, path.child(given[0]).child("keys"), BOX_SIZES if given == ["secretbox"] else AES_SIZES
        )


def _kms_errors(kms: _KMS, path: Path, names: set[str]) -> Iterator[FieldError]:
    here = path.child("name")
    if not kms.name:
        yield fields.required(here, "name is a mandatory field for a provider")
    if kms.api_version != "v1" and ":" in kms.name:
        yield fields.invalid(here, kms.name, f"invalid KMS provider name {kms.name}, must not contain ':'")
    if kms.api_version != "v1" and kms.name in names:
        yield fields.invalid(here, kms.name, f"duplicate KMS provider name {kms.name}, names must be unique")
    try:
        seconds = duration(kms.timeout)
    except ValueError as error:
        yield fields.invalid(path.child("timeout"), kms.timeout, str(error))
    else:
        if seconds <= 0:
            yield fields.invalid(path.child("timeout"), kms.timeout, "timeout should be a positive value")
    scheme = kms.endpoint.partition(":")[0]
    if not kms.endpoint:
        yield fields.invalid(path.child("endpoint"), "", "endpoint is a mandatory field for a kms")
    elif scheme != "unix":
        words = f"unsupported scheme {quote(scheme)} for KMS provider, only unix is supported"
        yield fields.invalid(path.child("endpoint"), kms.endpoint, words)
    if kms.api_version != "v1" and kms.cachesize is not None:
        yield fields.invalid(path.child("cachesize"), kms.cachesize, "cachesize is not supported in v2")
    if kms.api_version == "v1" and kms.cachesize == 0:
        words = "cachesize should be a positive value, or negative to disable"
        yield fields.invalid(path.child("cachesize"), kms.cachesize, words)
    if kms.api_version not in ("v1", "v2"):
        words = "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported"
        yield fields.invalid(path.child("apiVersion"), kms.api_version, words)


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
