"""Files of the server's configuration that are used anew when they change, and what /metrics tells of that."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.own_names import server_name
from pybernetes.telemetry.metrics import Computed, Counter, Gauge, Registry

log = logging.getLogger(__name__)
AGAIN_SECONDS: Final = 60.0
LABELS: Final = ("status", "apiserver_id_hash")


class NotYetError(Exception):
    """The configuration is right, but cannot be used yet; it is tried again."""


class Reload:
    """Follows one file; a configuration that is wrong leaves the one before it in use."""

    def __init__(
        self,
        kind: str,
        path: str,
        use: Callable[[str], Awaitable[None]],
        options: Options,
        clock: Clock,
        metrics: Registry,
    ) -> None:
        """`kind` is of what: `authentication`. `use(text)` raises ConfigurationError, NotYetError."""
        self._kind = kind
        self._path = Path(path)
        self._use = use
        self._clock = clock
        self._server = server_hash(options)
        self._data = self._read()
        self._used = self._data
        self._wrong = ""
        prefix = f"apiserver_{kind}_config_controller_"
        self._reloads = Counter(f"{prefix}automatic_reloads_total", f"Total number of automatic reloads of {kind} configuration split by status and apiserver identity.", LABELS)  # fmt: skip
        self._last = Gauge(f"{prefix}automatic_reload_last_timestamp_seconds", f"Timestamp of the last automatic reload of {kind} configuration split by status and apiserver identity.", LABELS)  # fmt: skip
        info = Computed(
            f"{prefix}last_config_info",
            f"Information about the last applied {kind} configuration with hash as label, split by apiserver identity.",
            ("apiserver_id_hash", "hash"),
            lambda: [((self._server, _hash(self._used or b"")), 1)],
        )
        metrics.add(self._reloads, self._last, info)

    async def run(self) -> None:
        """Until cancelled."""
        if sys.platform != "linux":
            while True:
                await self.look()
                await self._clock.sleep(AGAIN_SECONDS)
        from pybernetes.aio.inotify import ENTRIES, Inotify

        async with open_scope("reload") as scope:
            with Inotify() as changes:
                changes.watch(self._path.parent, ENTRIES)
                while True:
                    reminder = None if await self.look() else scope.spawn(self._remind(changes.wake), self._kind)
                    await changes.wait()
                    if reminder is not None:
                        reminder.cancel()

    async def _remind(self, wake: Callable[[], None]) -> None:
        await self._clock.sleep(AGAIN_SECONDS)
        wake()

    async def look(self) -> bool:
        """Take the file's content if it is another than before. Returns whether only a change can help now."""
        data = self._read()
        if data is not None and data == self._data:
            return True
        try:
            if data is None:
                raise NotYetError(f"{self._path} cannot be read")
            await self._use(data.decode())
            self._wrong = ""
            self._data = self._used = data
            log.info("configuration loaded again kind=%s file=%s", self._kind, self._path)
        except (ConfigurationError, UnicodeDecodeError) as error:
            self._data, self._wrong = data, str(error)
        except NotYetError as error:
            self._wrong = str(error)
        if self._wrong:
            log.error("configuration not loaded, the last one stays kind=%s error=%s", self._kind, self._wrong)
        status = "failure" if self._wrong else "success"
        self._reloads.inc(status, self._server)
        self._last.set(self._clock.now().timestamp(), status, self._server)
        return data is not None and data == self._data

    def check(self) -> str:
        """For the health pages."""
        return self._wrong

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None


def server_hash(options: Options) -> str:
    """How metrics name this server among others."""
    return _hash(server_name(options).encode())


def _hash(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}" if data else ""
