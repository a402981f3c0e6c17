"""`--egress-selector-config-file`: through what the server reaches nodes, webhooks and etcd. Here, only directly.

A configuration that asks for a proxy is refused: traffic that somebody wants to lead through one must not go around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from pybernetes.api import field as fields
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.configuration import ConfigurationError, decode, read, refuse

KIND: Final = "EgressSelectorConfiguration"
VERSIONS: Final = ("apiserver.k8s.io/v1beta1", "apiserver.k8s.io/v1alpha1")
PROTOCOLS: Final = ("Direct", "HTTPConnect", "GRPC")
NAMES: Final = ("cluster", "controlplane", "etcd")
HERE: Final = Path("service").child("connection")


class _Base(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    pass


class _TLS(_Base):
    ca_bundle: str = ""
    client_key: str = ""
    client_cert: str = ""


class _TCP(_Base):
    url: str = ""
    tls_config: _TLS | None = None


class _UDS(_Base):
    uds_name: str = ""


class _Transport(_Base):
    tcp: _TCP | None = None
    uds: _UDS | None = None


class _Connection(_Base):
    proxy_protocol: str = ""
    transport: _Transport | None = None


class _Selection(_Base):
    name: str = ""
    connection: _Connection = msgspec.field(default_factory=_Connection)


class _Configuration(_Base):
    egress_selections: list[_Selection] = []


def check(path: str) -> None:
    """Raises ConfigurationError for a file that is wrong, in upstream's words, and for one that names a proxy."""
    try:
        text = read(path)
    except ConfigurationError as error:
        words = f'unable to read egress selector configuration from "{path}" [{error}]'
        raise ConfigurationError(words) from error
    found: _Configuration = decode(text, {(version, KIND): _Configuration for version in VERSIONS})
    refuse(list(_errors(found)))
    for one in found.egress_selections:
        if one.connection.proxy_protocol != "Direct":
            words = (
                f"egress of {one.name!r} through a proxy ({one.connection.proxy_protocol}) is not supported: Direct is"
            )
            raise ConfigurationError(words)


def _errors(found: _Configuration) -> Iterator[FieldError]:
    for one in found.egress_selections:
        protocol, transport = one.connection.proxy_protocol, one.connection.transport
        if protocol not in PROTOCOLS:
            yield fields.not_supported(HERE.child("protocol"), protocol, PROTOCOLS)
        elif protocol == "Direct":
            if transport is not None:
                yield fields.invalid(HERE.child("transport"), "direct", "config must be absent for direct connect")
        elif transport is None:
            yield fields.required(HERE.child("transport"), f"transport must be set for {protocol}")
    seen: set[str] = set()
    for index, one in enumerate(found.egress_selections):
        name = one.name.lower()
        if name in seen:
            yield fields.duplicate(HERE.index(index), name)
        elif name not in NAMES:
            yield fields.not_supported(HERE, name, NAMES)
        seen.add(name)
