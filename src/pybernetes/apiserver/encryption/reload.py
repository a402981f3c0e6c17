"""`--encryption-provider-config-automatic-reload`: new keys are used as soon as the file has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from pybernetes.aio.clock import Clock
from pybernetes.apiserver.encryption.backend import EncryptedBackend
from pybernetes.apiserver.encryption.config import parse
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.reload import Reload
from pybernetes.telemetry.metrics import Registry


def follow(
    options: Options, backend: EncryptedBackend, again: Callable[[], Awaitable[None]], clock: Clock, metrics: Registry
) -> Reload:
    """`again` reads everything from the store once more."""

    async def use(text: str) -> None:
        backend.use(parse(text))
        if backend.unread:
            backend.unread = False
            await again()

    return Reload("encryption", options.encryption_provider_config, use, options, clock, metrics, digest)


def digest(data: bytes) -> str:
    """As upstream tells configurations from one another in its metrics."""
    return f"k8s:enc:unstable:1:{hashlib.sha256(data).hexdigest()}"
