"""How a value is encrypted: one provider per key, and the chain of them that a resource has.

A stored value begins with `k8s:enc:<provider>:v1:<key name>:`; what has no such beginning is plain.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, Protocol, runtime_checkable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7
from msgspec import Struct

ENCRYPTED: Final = b"k8s:enc:"
BLOCK: Final = 16
NONCE: Final = 12


class TransformError(Exception):
    """A stored value cannot be read."""


class KeyAwayError(TransformError):
    """For want of a key that somebody else has, and may give later."""


class Provider(Protocol):
    """One way to store a value; `key` is its key in the store."""

    @property
    def prefix(self) -> bytes:
        """What its values begin with."""
        ...

    def encrypt(self, value: bytes, key: bytes) -> bytes:
        """What comes behind the prefix."""
        ...

    def decrypt(self, data: bytes, key: bytes) -> bytes:
        """Raises TransformError."""
        ...

    def is_stale(self, data: bytes) -> bool:
        """Whether it would write what is stored behind the prefix otherwise now, but for chance."""
        ...


@runtime_checkable
class RemoteProvider(Provider, Protocol):
    """A provider with keys elsewhere. It is of use once it has been probed, and only while that goes on."""

    async def prepare(self, data: Sequence[bytes]) -> None:
        """Have what `decrypt` needs for these; where that fails, so will `decrypt`."""
        ...

    async def probe(self) -> str:
        """Ask how it is, and for a new key if it has one. What is wrong, or ""; never raises."""
        ...

    def check(self) -> str:
        """What the last probe said."""
        ...

    async def close(self) -> None: ...


class _Local:
    """Has all its keys."""

    def is_stale(self, data: bytes) -> bool:
        return False


class Identity(_Local):
    """Values as they are."""

    prefix = b""

    def is_stale(self, data: bytes) -> bool:
        return data.startswith(ENCRYPTED)

    def encrypt(self, value: bytes, key: bytes) -> bytes:
        return value

    def decrypt(self, data: bytes, key: bytes) -> bytes:
        if data.startswith(ENCRYPTED):
            raise TransformError("identity transformer tried to read encrypted data")
        return data


class AESCBC(_Local):
    """A random initialization vector, then CBC with PKCS #7 padding."""

    def __init__(self, name: str, secret: bytes) -> None:
        self.prefix = f"k8s:enc:aescbc:v1:{name}:".encode()
        self._algorithm = algorithms.AES(secret)

    def encrypt(self, value: bytes, key: bytes) -> bytes:
        vector = os.urandom(BLOCK)
        padder = PKCS7(BLOCK * 8).padder()
        encryptor = Cipher(self._algorithm, modes.CBC(vector)).encryptor()
        return vector + encryptor.update(padder.update(value) + padder.finalize()) + encryptor.finalize()

    def decrypt(self, data: bytes, key: bytes) -> bytes:
        if len(data) < BLOCK:
            raise TransformError("the stored data was shorter than the required size")
        vector, rest = data[:BLOCK], data[BLOCK:]
        if not rest or len(rest) % BLOCK:
            raise TransformError("the stored data is not a multiple of the block size")
        decryptor = Cipher(self._algorithm, modes.CBC(vector)).decryptor()
        unpadder = PKCS7(BLOCK * 8).unpadder()
        try:
            padded = decryptor.update(rest) + decryptor.finalize()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError as error:
            raise TransformError("invalid padding on input") from error


class GCM(_Local):
    """A random nonce, then the value and its tag, bound to the key in the store."""

    def __init__(self, name: str, secret: bytes) -> None:
        self.prefix = f"k8s:enc:aesgcm:v1:{name}:".encode()
        self._secret = secret

    def encrypt(self, value: bytes, key: bytes) -> bytes:
        return seal(self._secret, value, key)

    def decrypt(self, data: bytes, key: bytes) -> bytes:
        return unseal(self._secret, data, key)


class SecretBox(_Local):
    """NaCl's secretbox: XSalsa20 and Poly1305, which `cryptography` does not have."""

    def __init__(self, name: str, secret: bytes) -> None:
        """Raises ImportError without PyNaCl."""
        from nacl.secret import SecretBox as Box

        self.prefix = f"k8s:enc:secretbox:v1:{name}:".encode()
        self._box: Any = Box(secret)

    def encrypt(self, value: bytes, key: bytes) -> bytes:
        return bytes(self._box.encrypt(value))

    def decrypt(self, data: bytes, key: bytes) -> bytes:
        from nacl.exceptions import CryptoError

        try:
            return bytes(self._box.decrypt(data))
        except (CryptoError, ValueError) as error:
            raise TransformError("output array was not large enough for encryption") from error


def seal(secret: bytes, value: bytes, bound: bytes) -> bytes:
    """AES-GCM: a random nonce, then the value and its tag."""
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(secret).encrypt(nonce, value, bound)


def unseal(secret: bytes, data: bytes, bound: bytes) -> bytes:
    """Raises TransformError."""
    if len(data) < NONCE:
        raise TransformError("the stored data was shorter than the required size")
    try:
        return AESGCM(secret).decrypt(data[:NONCE], data[NONCE:], bound)
    except InvalidTag as error:
        raise TransformError("cipher: message authentication failed") from error


class Chain(Struct, frozen=True):
    """The providers of a resource: the first one writes, all of them read."""

    providers: Sequence[Provider]

    def write(self, value: bytes, key: bytes) -> bytes:
        """Raises TransformError."""
        first = self.providers[0]
        return first.prefix + first.encrypt(value, key)

    def read(self, stored: bytes, key: bytes) -> bytes:
        """Raises TransformError."""
        refused: TransformError | None = None
        for provider in self.providers:
            if stored.startswith(provider.prefix):
                try:
                    return provider.decrypt(stored[len(provider.prefix) :], key)
                except TransformError as error:
                    refused = refused or error  # two keys may have one name
        raise refused or TransformError("no matching prefix found")

    async def prepare(self, stored: Sequence[bytes]) -> None:
        """Have what `read` needs."""
        for provider in self.providers:
            if isinstance(provider, RemoteProvider):
                size = len(provider.prefix)
                if data := [one[size:] for one in stored if one.startswith(provider.prefix)]:
                    await provider.prepare(data)

    def is_stale(self, stored: bytes) -> bool:
        """Whether the value would be stored otherwise now."""
        first = self.providers[0]
        return not stored.startswith(first.prefix) or first.is_stale(stored[len(first.prefix) :])
