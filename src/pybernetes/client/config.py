"""Where the API server is and how to authenticate to it: kubeconfig, in-cluster files, or explicit values."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pybernetes.aio.trust import client_context

LOCAL = "unix"
"""The scheme of an API server's socket on this machine: unix:///run/... Whoever may open it says who they are."""


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file and what is wrong with it."""


class _Named(msgspec.Struct, rename="kebab"):
    name: str = ""


class _Cluster(msgspec.Struct, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""


class _User(msgspec.Struct, rename={"token_file": "tokenFile", "as_": "as", "as_groups": "as-groups", "client_certificate": "client-certificate", "client_certificate_data": "client-certificate-data", "client_key": "client-key", "client_key_data": "client-key-data"}):  # fmt: skip
    token: str = ""
    token_file: str = ""
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    as_: str = ""
    as_groups: list[str] | None = None
    exec: dict[str, object] | None = None


class _Context(msgspec.Struct):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(_Named):
    cluster: _Cluster = msgspec.field(default_factory=_Cluster)


class _NamedUser(_Named):
    user: _User | None = None


class _NamedContext(_Named):
    context: _Context = msgspec.field(default_factory=_Context)


class _Kubeconfig(msgspec.Struct, rename="kebab"):
    current_context: str = ""
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """How to reach an API server.

    Certificates are PEM; a `*_file` is read again when it changes, so that renewed credentials are taken up by a
    running client. With several `servers` the client stays with one until it fails to connect, then takes the next.
    """

    servers: tuple[str, ...]
    ca_data: bytes = b""
    ca_file: str = ""
    cert_data: bytes = b""
    cert_file: str = ""
    key_data: bytes = field(default=b"", repr=False)
    key_file: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    namespace: str = "default"
    context: str = ""
    """The kubeconfig's name for all this, where it is of one."""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def server(self) -> str:
        return self.servers[0]

    @classmethod
    def from_kubeconfig(cls, path: str | Path = "", context: str = "") -> Config:
        """Read a kubeconfig (`path`, else those of $KUBECONFIG, else ~/.kube/config).

        Raises ConfigError if it is missing or incomplete.
        """
        return cls.from_kubeconfigs([Path(path)] if path else _default_kubeconfigs(), context)

    @classmethod
    def from_kubeconfigs(cls, paths: Sequence[Path], context: str = "") -> Config:
        """Put several together as kubectl does: what is first found counts, files that are not there are passed over.

        Raises ConfigError if there is none, or what is needed is missing or incomplete. Relative paths in a file are
        relative to its folder.
        """
        there = [path for path in paths if path.exists()] or paths[:1]
        loaded = [(path, _load(path)) for path in there]
        current = next((each.current_context for _, each in loaded if each.current_context), "")
        return _from_kubeconfigs(loaded, context or current)

    def watched_files(self) -> tuple[str, ...]:
        """The files whose change makes a new TLS context necessary."""
        return tuple(name for name in (self.ca_file, self.cert_file, self.key_file) if name)

    def ssl_context(self) -> ssl.SSLContext:
        """A TLS context of the files as they are now. Raises ConfigError if one cannot be used."""
        try:
            if self.insecure_skip_tls_verify:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            else:
                # Without a CA of its own the system's are loaded, which takes a tenth of a second.
                context = client_context(self.ca_data.decode() or None, file=self.ca_file or None)
            if self.cert_file or self.cert_data:
                self._load_client_certificate(context)
        except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
            raise ConfigError(f"credentials for {self.server}: {error}") from error
        return context

    def _load_client_certificate(self, context: ssl.SSLContext) -> None:
        """OpenSSL takes certificates from files only: inline data passes through a private one for a moment."""
        if self.cert_file and not self.key_data:
            context.load_cert_chain(self.cert_file, self.key_file or None)
            return
        cert = self.cert_data or Path(self.cert_file).read_bytes()
        key = self.key_data or Path(self.key_file).read_bytes()
        with tempfile.NamedTemporaryFile(prefix="pybernetes-") as file:
            file.write(cert.rstrip() + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)


def _default_kubeconfigs() -> list[Path]:
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path.home() / ".kube" / "config"]


def _load(file: Path) -> _Kubeconfig:
    """Raises ConfigError."""
    try:
        return msgspec.convert(_parse(file.read_bytes()) or {}, type=_Kubeconfig)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"kubeconfig {file}: {said}") from error


def _parse(data: bytes) -> object:
    """YAML, or JSON, as the cluster's own files are: its components start without a YAML parser. Raises ValueError."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        import yaml
    try:
        return yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _from_kubeconfigs(loaded: Sequence[tuple[Path, _Kubeconfig]], context_name: str) -> Config:
    files = ", ".join(str(path) for path, _ in loaded)
    if not context_name:
        raise ConfigError(f"kubeconfig {files}: there is no current context")
    contexts = (c.context for _, each in loaded for c in each.contexts or () if c.name == context_name)
    if (context := next(contexts, None)) is None:
        raise ConfigError(f"kubeconfig {files}: context {context_name!r} does not exist")
    clusters = ((path, c.cluster) for path, each in loaded for c in each.clusters or () if c.name == context.cluster)
    place, cluster = next(clusters, (Path(), _Cluster()))
    if not cluster.server:
        raise ConfigError(f"kubeconfig {files}: cluster {context.cluster!r} does not exist or names no server")
    users = ((path, u.user or _User()) for path, each in loaded for u in each.users or () if u.name == context.user)
    own, user = next(users, (Path(), _User()))
    if user.exec is not None:
        raise ConfigError(f"kubeconfig {files}: user {context.user!r} uses an exec credential plugin: not supported")

    def located(name: str, file: Path = own) -> str:
        return str(file.parent / name) if name else ""

    return Config(
        servers=(cluster.server.rstrip("/"),),
        ca_data=base64.b64decode(cluster.certificate_authority_data),
        ca_file="" if cluster.certificate_authority_data else located(cluster.certificate_authority, place),
        cert_data=base64.b64decode(user.client_certificate_data),
        cert_file="" if user.client_certificate_data else located(user.client_certificate),
        key_data=base64.b64decode(user.client_key_data),
        key_file="" if user.client_key_data else located(user.client_key),
        token=user.token,
        token_file=located(user.token_file),
        insecure_skip_tls_verify=cluster.insecure_skip_tls_verify,
        tls_server_name=cluster.tls_server_name,
        namespace=context.namespace or "default",
        context=context_name,
        headers=_identity(user, local=cluster.server.startswith(f"{LOCAL}:")),
    )


def _identity(user: _User, *, local: bool) -> tuple[tuple[str, str], ...]:
    """Of a user who acts as another one: at a socket of this machine that is believed, elsewhere it must be allowed."""
    if not user.as_:
        return ()
    name, group = ("X-Remote-User", "X-Remote-Group") if local else ("Impersonate-User", "Impersonate-Group")
    return (name, user.as_), *((group, each) for each in user.as_groups or ())
