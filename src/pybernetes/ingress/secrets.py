"""The certificates of the secrets that Ingresses name; no other secret is ever asked for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from pybernetes.api.types import core_v1 as v1
from pybernetes.client.informer import Informer, Informers
from pybernetes.ingress.certificates import CertificateError, of_secret


class Secrets:
    """Follows secrets by `namespace/name`: a changed one counts from the next handshake on."""

    def __init__(self, informers: Informers, on_change: Callable[[str], None]) -> None:
        self._informers, self._on_change = informers, on_change
        self._followed: dict[str, Informer[v1.Secret]] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._causes: dict[str, str] = {}

    def follow(self, wanted: set[str]) -> None:
        """Follow these and no others."""
        for key in self._followed.keys() - wanted:
            self._informers.forget(self._followed.pop(key))
            self._contexts.pop(key, None)
            self._causes.pop(key, None)
        for key in sorted(wanted - self._followed.keys()):
            self._follow(key)

    async def wait_known(self, seconds: float) -> None:
        """Until those that are followed have been read, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                for informer in list(self._followed.values()):
                    await informer.synced.wait()
        except TimeoutError:
            return

    def context(self, key: str) -> ssl.SSLContext | None:
        return self._contexts.get(key)

    def cause(self, key: str) -> str:
        """Why a secret that is followed gives no certificate; empty if it does."""
        if key in self._contexts:
            return ""
        return self._causes.get(key) or f"secret {key} not found"

    def _follow(self, key: str) -> None:
        namespace, _, name = key.partition("/")
        informer = self._informers.of(v1.Secret, namespace, field_selector=f"metadata.name={name}")
        self._followed[key] = informer

        def on_secret(old: v1.Secret | None, new: v1.Secret | None) -> None:
            if self._followed.get(key) is informer:
                self._take(key, new)

        informer.subscribe(on_secret)

    def _take(self, key: str, secret: v1.Secret | None) -> None:
        self._contexts.pop(key, None)
        self._causes.pop(key, None)
        if secret is not None:
            try:
                self._contexts[key] = of_secret(secret.data)
            except CertificateError as error:
                self._causes[key] = f"secret {key} is not usable: {error}"
        self._on_change(key)
