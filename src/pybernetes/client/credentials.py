"""The credentials of a running client: files among them are read again after they change."""

from __future__ import annotations

import os
import ssl

from pybernetes.aio.clock import Clock
from pybernetes.client.config import Config, ConfigError

RECHECK_SECONDS = 1.0


class Credentials:
    """The bearer token and TLS context to use now. Looks at the files at most once a second."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._checked = -RECHECK_SECONDS
        self._stamps: tuple[int, ...] | None = None
        self._token = config.token
        self._tls: ssl.SSLContext | None = None

    def token(self) -> str:
        """The bearer token, "" if none is used."""
        self._refresh()
        return self._token

    def tls(self) -> ssl.SSLContext | None:
        """The context for new connections, None for a plain-text server. Raises ConfigError for unusable files."""
        self._refresh()
        return self._tls

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        if now - self._checked < RECHECK_SECONDS:
            return
        self._checked = now
        if self._config.token_file:
            self._token = self._read_token() or self._token
        if not any(server.startswith("https://") for server in self._config.servers):
            return
        stamps = tuple(_modified(name) for name in self._config.watched_files())
        if stamps != self._stamps:
            self._reload(stamps)

    def _reload(self, stamps: tuple[int, ...]) -> None:
        try:
            self._tls = self._config.ssl_context()
            self._stamps = stamps
        except ConfigError:
            # A certificate and its key are replaced one after the other: keep what works until both fit.
            if self._tls is None:
                raise

    def _read_token(self) -> str:
        try:
            with open(self._config.token_file) as file:
                return file.read().strip()
        except OSError as error:
            if self._token:
                return ""
            raise ConfigError(f"token file {self._config.token_file}: {error}") from error


def _modified(name: str) -> int:
    try:
        return os.stat(name).st_mtime_ns
    except OSError:
        return 0
