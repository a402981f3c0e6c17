"""`--encryption-provider-config-automatic-reload`: new keys are used as soon as the file has changed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from pybernetes.aio.clock import Clock
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.encryption.backend import EncryptedBackend
from pybernetes.apiserver.encryption.config import load
from pybernetes.telemetry.metrics import Counter, Gauge, Registry

log = logging.getLogger(__name__)
PREFIX = "apiserver_encryption_config_controller_automatic_"


class Reload:
    """Follows the file; a configuration that is wrong leaves the one before it in use, and is told by `check`."""

    def __init__(
        self,
        path: str,
        backend: EncryptedBackend,
        clock: Clock,
        again: Callable[[], Awaitable[None]],
        metrics: Registry,
    ) -> None:
        """`again` reads everything from the store once more."""
        self._path = Path(path)
        self._backend = backend
        self._clock = clock
        self._again = again
        self._text = self._read()
        self._wrong = ""
        self._reloads = Counter(f"{PREFIX}reloads_total", "Total number of reload successes and failures of encryption configuration split by apiserver identity.", ("status",))  # fmt: skip
        self._last = Gauge(f"{PREFIX}reload_last_timestamp_seconds", "Timestamp of the last successful or failed automatic reload of encryption configuration split by apiserver identity.", ("status",))  # fmt: skip
        metrics.add(self._reloads, self._last)

    async def run(self) -> None:
        """Until cancelled."""
        from pybernetes.aio.inotify import ENTRIES, Inotify  # for Linux alone, as is whoever asks for it

        with Inotify() as changes:
            changes.watch(self._path.parent, ENTRIES)
            while True:
                await self.look()
                await changes.wait()

    async def look(self) -> None:
        """Take the file's content if it is another than before."""
        text = self._read()
        if text == self._text:
            return
        self._text = text
        try:
            self._backend.use(load(str(self._path)))
            self._wrong = ""
            log.info("encryption configuration loaded again file=%s", self._path)
        except ConfigurationError as error:
            self._wrong = str(error)
            log.error("encryption configuration not loaded error=%s", error)
        status = "failure" if self._wrong else "success"
        self._reloads.inc(status)
        self._last.set(self._clock.now().timestamp(), status)
        if self._backend.unread and not self._wrong:
            self._backend.unread = False
            await self._again()

    def check(self) -> str:
        """For the health pages."""
        return self._wrong

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            return b""
