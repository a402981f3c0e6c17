"""The store as the server sees it: plain values over a backend that holds encrypted ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pybernetes.api import scheme
from pybernetes.api.errors import internal
from pybernetes.api.scheme import storage_prefix
from pybernetes.apiserver.cacher.cacher import split_key
from pybernetes.apiserver.encryption.config import Encryption
from pybernetes.apiserver.encryption.providers import Chain, KeyAwayError, TransformError
from pybernetes.apiserver.wrapped import TranslatedBackend
from pybernetes.store.backend import Backend, CorruptError, UnavailableError

log = logging.getLogger(__name__)


class PluginAwayError(UnavailableError):
    """A value's key is with a plugin that does not answer."""


class EncryptedBackend(TranslatedBackend):
    """A `Backend`. A value that no key reads stops the server's start; later it is left out, and told.

    `unread` says whether something was left out, so that it is to be read again with other keys.
    """

    def __init__(self, backend: Backend, encryption: Encryption) -> None:
        super().__init__(backend)
        self._encryption = encryption
        self._chains: dict[str, Chain | None] = {}
        self._names = {storage_prefix(one): (one.group, one.plural) for one in scheme.resources()}
        self.strict = True
        self.unread = False

    def use(self, encryption: Encryption) -> None:
        """Other keys from now on."""
        self._encryption = encryption
        self._chains.clear()

    async def is_stale(self, key: bytes) -> bool:
        """Whether the stored value is not as it would be stored now."""
        chain = self._chain(key)
        if chain is None:
            return False
        found, _ = await self.inner.get(key)
        return found is not None and chain.is_stale(found.value)

    def _chain(self, key: bytes) -> Chain | None:
        """How the value of a key is stored; None for as it is."""
        prefix = split_key(key)[0]
        if prefix not in self._chains:
            group, _, plural = prefix.rpartition("/")
            self._chains[prefix] = self._encryption.chain(*self._names.get(prefix, (group, plural)))
        return self._chains[prefix]

    def _write(self, key: bytes, value: bytes) -> bytes:
        chain = self._chain(key)
        try:
            return value if chain is None else chain.write(value, key)
        except TransformError as error:
            raise internal(str(error)) from error

    async def _prepare(self, stored: Sequence[tuple[bytes, bytes]]) -> None:
        if not self._encryption.remote:
            return
        by_chain: dict[int, tuple[Chain, list[bytes]]] = {}
        for key, value in stored:
            if (chain := self._chain(key)) is not None:
                by_chain.setdefault(id(chain), (chain, []))[1].append(value)
        for chain, values in by_chain.values():
            await chain.prepare(values)

    def _read(self, key: bytes, value: bytes) -> bytes | None:
        """None for what no key reads, if that is not fatal. Raises CorruptError, UnavailableError."""
        chain = self._chain(key)
        if chain is None:
            return value
        try:
            return chain.read(value, key)
        except TransformError as error:
            words = f'unable to transform key "{key.decode()}": {error}'
            if self.strict:
                raise (PluginAwayError if isinstance(error, KeyAwayError) else CorruptError)(words) from error
            self.unread = True
            log.error("%s", words)
            return None
