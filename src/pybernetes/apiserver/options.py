"""The API server's flags, under upstream's names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields

DURATION_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class Options:
    """Every value has upstream's default where upstream has one; an empty path switches its feature off."""

    bind_address: str = "127.0.0.1"
    advertise_address: str = ""
    secure_port: int = 6443
    storage: str = "sqlite::memory:"
    tls_cert_file: str = ""
    tls_private_key_file: str = ""
    client_ca_file: str = ""
    token_auth_file: str = ""
    service_account_key_file: tuple[str, ...] = ()
    service_account_signing_key_file: str = ""
    service_account_issuer: tuple[str, ...] = ()
    api_audiences: tuple[str, ...] = ()
    authorization_mode: tuple[str, ...] = ("AlwaysAllow",)
    anonymous_auth: bool = True
    enable_admission_plugins: tuple[str, ...] = ()
    disable_admission_plugins: tuple[str, ...] = ()
    service_cluster_ip_range: str = "10.96.0.0/12"
    service_node_port_range: str = "30000-32767"
    allow_privileged: bool = True
    kubelet_certificate_authority: str = ""
    kubelet_client_certificate: str = ""
    kubelet_client_key: str = ""
    kubelet_preferred_address_types: tuple[str, ...] = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")  # fmt: skip
    proxy_client_cert_file: str = ""
    proxy_client_key_file: str = ""
    requestheader_client_ca_file: str = ""
    requestheader_username_headers: tuple[str, ...] = ("X-Remote-User",)
    requestheader_group_headers: tuple[str, ...] = ("X-Remote-Group",)
    requestheader_extra_headers_prefix: tuple[str, ...] = ("X-Remote-Extra-",)
    requestheader_allowed_names: tuple[str, ...] = ()
    enable_bootstrap_token_auth: bool = False
    audit_policy_file: str = ""
    audit_log_path: str = ""
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    min_request_timeout: int = 1800
    request_timeout: float = 60.0
    shutdown_delay_duration: float = 0.0
    event_ttl: float = 3600.0
    default_watch_cache_size: int = 5000
    v: int = 0


def duration(text: str) -> float:
    """Seconds of a Go duration: "1h30m" -> 5400.0; raises ValueError."""
    if not text:
        raise ValueError("empty duration")
    rest, total = text, 0.0
    while rest:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        unit = next((u for u in ("ms", "h", "m", "s") if rest[len(digits) :].startswith(u)), None)
        if not digits or unit is None:
            raise ValueError(f"invalid duration {text!r}")
        total += float(digits) * DURATION_UNITS[unit]
        rest = rest[len(digits) + len(unit) :]
    return total


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError(f"invalid boolean {text!r}")
    return lowered == "true"


_DURATIONS = frozenset(("request_timeout", "shutdown_delay_duration", "event_ttl"))


def parser() -> argparse.ArgumentParser:
    """One flag per field of Options; lists are comma-separated and may be repeated; booleans may stand alone."""
    made = argparse.ArgumentParser(prog="p8s apiserver", allow_abbrev=False)
    for option in fields(Options):
        flag = "--" + option.name.replace("_", "-")
        default = option.default
        if isinstance(default, bool):
            made.add_argument(flag, type=_boolean, nargs="?", const=True, default=default)
        elif isinstance(default, tuple):
            made.add_argument(flag, action="append", default=None)
        elif option.name in _DURATIONS:
            made.add_argument(flag, type=duration, default=default)
        else:
            made.add_argument(flag, type=type(default), default=default)
    made.add_argument("--etcd-servers", dest="storage", default=argparse.SUPPRESS)
    return made


def parse(arguments: Sequence[str]) -> Options:
    """Options of a command line; exits with a usage message on an unknown flag or a malformed value."""
    values = vars(parser().parse_args(arguments))
    for option in fields(Options):
        if isinstance(option.default, tuple):
            given = values[option.name]
            joined = () if given is None else tuple(part for text in given for part in text.split(",") if part)
            values[option.name] = option.default if given is None else joined
    return Options(**values)
