"""TLS contexts of files that are replaced while they are in use: looked at when a handshake needs them, never polled."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

log = logging.getLogger(__name__)

_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for."""


def organizations(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """The groups that a verified client certificate names (as `getpeercert` gives it)."""
    pairs = [pair for group in certificate.get("subject", ()) for pair in group]
    return tuple(value for name, value in pairs if name == "organizationName")


class FollowedContext:
    """A context that is made anew once its files have changed; connections that stand keep the one they have."""

    def __init__(self, make: Callable[[], ssl.SSLContext], files: Sequence[str]) -> None:
        """Makes the first context at once: raises what `make` raises (OSError, ssl.SSLError)."""
        self._make = make
        self._files = [file for file in files if file]
        self._stamps = self._look()
        self._context = make()

    def current(self) -> ssl.SSLContext:
        """The context of the files as they are now.

        A certificate and its key are replaced one after the other: until both fit, the last good one is kept.
        """
        stamps = self._look()
        if stamps != self._stamps:
            try:
                self._context = self._make()
                self._stamps = stamps
                log.info("certificates loaded again files=%s", ",".join(self._files))
            except OSError as error:
                log.warning("certificates not loaded files=%s error=%s", ",".join(self._files), error)
        return self._context

    def _look(self) -> list[tuple[int, int]]:
        """Files are replaced as a whole, so that each version has an inode of its own."""
        found = []
        for file in self._files:
            try:
                status = os.stat(file)
                found.append((status.st_ino, status.st_mtime_ns))
            except OSError:
                found.append((0, 0))
        return found


def serving_files(
    certificate: str, key: str, folder: Path, name: str, hosts: Iterable[str], now: datetime
) -> tuple[str, str]:
    """The given files or, where none are given, those of a self-signed certificate for the hosts, kept in the folder.

    Raises OSError if the folder cannot be written.
    """
    if certificate:
        return certificate, key
    from pybernetes.aio import self_signed  # cryptography, which who has a certificate need not load

    return self_signed.ensure(folder, name, list(dict.fromkeys(filter(None, hosts))), now)


def server_context(
    certificate: str,
    key: str,
    *client_authorities: str,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    judges_time: bool = True,
) -> ssl.SSLContext:
    """TLS of `minimum` and up; a client certificate is asked for when there is a file of authorities to verify it against.

    One of several files' authorities will do: for what each is trusted is the caller's to decide. Empty names count
    for nothing. Each handshake takes the files as they are then. An empty `key` means that the certificate's file holds it too.
    Without `judges_time` a certificate of a client may be out of date: the caller looks at that itself, with each request.
    Raises OSError, ssl.SSLError.
    """

    def make() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = minimum
        context.load_cert_chain(certificate, key or None)
        context.set_alpn_protocols(["http/1.1"])
        for authorities in filter(None, client_authorities):
            context.load_verify_locations(authorities)
            context.verify_mode = ssl.CERT_OPTIONAL
        if not judges_time:
            context.verify_flags |= _NO_CHECK_TIME
        return context

    followed = FollowedContext(make, (certificate, key, *client_authorities))

    def on_hello(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called for clients that name no server too."""
        connection.context = followed.current()

    listening = make()
    listening.sni_callback = on_hello
    return listening
