"""Encryption as the options ask for it: the backend, its plugins' probes, and the file that is followed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.encryption.backend import EncryptedBackend, PluginAwayError
from pybernetes.apiserver.encryption.config import Encryption, load, parse
from pybernetes.apiserver.encryption.providers import RemoteProvider
from pybernetes.apiserver.health import Health
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.reload import NotYetError, Reload, server_hash
from pybernetes.store.backend import Backend
from pybernetes.telemetry.metrics import Registry

if TYPE_CHECKING:  # only with plugins
    from pybernetes.apiserver.encryption.kms_metrics import KMSMetrics

log = logging.getLogger(__name__)
WAIT_SECONDS: Final = 1.0
PROBE_SECONDS: Final = 60.0
PROBE_AGAIN_SECONDS: Final = 10.0
HEALTH: Final = "kms-providers"


class EncryptionService:
    """`backend` is to be loaded from, then `serve` to be called."""

    def __init__(self, options: Options, backend: Backend, scope: Scope, clock: Clock, metrics: Registry) -> None:
        """Raises ConfigurationError."""
        self._options = options
        self._scope = scope
        self._clock = clock
        self._kms_metrics: KMSMetrics | None = None
        self._metrics = metrics
        self._probes: list[asyncio.Task[None]] = []
        self._again: Callable[[], Awaitable[None]] | None = None
        self._encryption = load(options.encryption_provider_config, self._plugin)
        self.backend = EncryptedBackend(backend, self._encryption)

    async def start(self) -> None:
        """Have the keys that are to be had now; plugins that do not answer yet are asked again later."""
        for one in self._encryption.remote:
            await one.probe()
        self._watch_over(self._encryption)

    async def load(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read the store for the first time. While a key is with a plugin that is away, wait for that."""
        while True:
            try:
                await read()
            except PluginAwayError as error:
                log.warning("not ready: waiting for a KMS plugin error=%s", error)
            else:
                return
            await self._clock.sleep(WAIT_SECONDS)
            for one in self._encryption.remote:
                await one.probe()

    def serve(self, again: Callable[[], Awaitable[None]], health: Health) -> None:
        """The server is loaded; `again` reads everything from the store once more."""
        self.backend.strict = False
        self._again = again
        reloads = self._options.encryption_provider_config_automatic_reload
        if reloads or self._encryption.remote:
            health.add(HEALTH, self._check)
        if reloads:
            reload = Reload(
                "encryption", self._options.encryption_provider_config, self._use, self._options, self._clock,
                self._metrics,
            )  # fmt: skip
            self._scope.spawn(reload.run(), "encryption")

    async def _use(self, text: str) -> None:
        """Raises ConfigurationError, NotYetError."""
        new = parse(text, self._options.encryption_provider_config, self._plugin)
        for one in new.remote:
            if wrong := await one.probe():
                await _close(new)
                raise NotYetError(wrong)
        old, self._encryption = self._encryption, new
        self.backend.use(new)
        for probe in self._probes:
            probe.cancel()
        self._watch_over(new)
        await self._read_again()
        await _close(old)

    def _plugin(self, name: str, endpoint: str, seconds: float) -> RemoteProvider:
        """Raises ConfigurationError without grpcio."""
        try:
            from pybernetes.apiserver.encryption.kms import KMSProvider
            from pybernetes.apiserver.encryption.kms_metrics import KMSMetrics
            from pybernetes.apiserver.encryption.plugin import Plugin
        except ImportError as error:
            raise ConfigurationError("KMS plugins need grpcio: pip install 'pybernetes[kms]'") from error
        self._kms_metrics = told = self._kms_metrics or KMSMetrics(self._metrics, server_hash(self._options))
        return KMSProvider(name, Plugin(name, endpoint, seconds, told), self._clock, told)

    def _watch_over(self, encryption: Encryption) -> None:
        self._probes = [self._scope.spawn(self._probe(one), "kms") for one in encryption.remote]

    async def _probe(self, provider: RemoteProvider) -> None:
        while True:
            await self._clock.sleep(PROBE_AGAIN_SECONDS if provider.check() else PROBE_SECONDS)
            if not await provider.probe():
                await self._read_again()

    async def _read_again(self) -> None:
        """What nobody could read may be readable now."""
        if self.backend.unread and self._again is not None:
            self.backend.unread = False
            await self._again()

    def _check(self) -> str:
        found = [(number, one.check()) for number, one in enumerate(self._encryption.remote)]
        wrong = [f"kms-provider-{number}: {words}" for number, words in found if words]
        return wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]" if wrong else ""


async def _close(encryption: Encryption) -> None:
    for one in encryption.remote:
        await one.close()
