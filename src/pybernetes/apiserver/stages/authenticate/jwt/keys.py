"""The keys of an issuer: found by discovery (OpenID Connect Discovery 1.0), read again for a key that is not known."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pybernetes.aio.clock import Clock
from pybernetes.aio.http.client import open_client
from pybernetes.aio.http.errors import HTTPError
from pybernetes.aio.http.request import Origin
from pybernetes.aio.trust import client_context
from pybernetes.api.field import quote
from pybernetes.apiserver.stages.authenticate.jwt.kinds import Issuer
from pybernetes.apiserver.stages.authenticate.tokens.keys import decode_segment

log = logging.getLogger(__name__)
SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 10.0
"""No issuer is asked more often, whatever tokens say."""
WELL_KNOWN: Final = "/.well-known/openid-configuration"
HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}  # fmt: skip
CURVES: Final[dict[str, tuple[ec.EllipticCurve, str]]] = {
    "P-256": (ec.SECP256R1(), "ES256"), "P-384": (ec.SECP384R1(), "ES384"), "P-521": (ec.SECP521R1(), "ES512"),
}  # fmt: skip


class Key:
    """A public key of a JWK set."""

    def __init__(self, jwk: dict[str, Any]) -> None:
        """Raises KeyError, ValueError for a key that cannot be used."""
        self.key_id = str(jwk.get("kid", ""))
        self._public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
        if jwk["kty"] == "RSA":
            self._public = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
            self._algorithms = [f"{kind}{size}" for kind in ("RS", "PS") for size in HASHES]
        elif jwk["kty"] == "EC":
            curve, algorithm = CURVES[jwk["crv"]]
            self._public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve).public_key()
            self._algorithms = [algorithm]
        else:
            raise ValueError(f"keys of type {jwk['kty']} are not known")
        if jwk.get("alg"):
            self._algorithms = [jwk["alg"]] if jwk["alg"] in self._algorithms else []

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        if algorithm not in self._algorithms:
            return False
        digest = HASHES[algorithm[2:]]()
        try:
            if isinstance(self._public, rsa.RSAPublicKey):
                pad: padding.AsymmetricPadding = padding.PKCS1v15()
                if algorithm.startswith("PS"):
                    pad = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
                self._public.verify(signature, signed, pad, digest)
            else:
                half = len(signature) // 2
                pair = encode_dss_signature(
                    int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
                )
                self._public.verify(pair, signed, ec.ECDSA(digest))
        except InvalidSignature:
            return False
        return True


def _number(text: str) -> int:
    return int.from_bytes(decode_segment(text), "big")


class KeySet:
    """One issuer's."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        """Raises ssl.SSLError for an authority that is none."""
        self._issuer = issuer.url
        self._discovery = issuer.discovery_url or issuer.url.rstrip("/") + WELL_KNOWN
        self._tls = client_context(issuer.certificate_authority or None)
        self._clock = clock
        self._keys: list[Key] = []
        self._asked = -AGAIN_SECONDS
        self._lock = asyncio.Lock()

    def candidates(self, key_id: str) -> list[Key]:
        return [key for key in self._keys if not key_id or key.key_id in ("", key_id)]

    async def ensure(self, key_id: str) -> bool:
        """Read the keys if this one is not known, but not again and again; whether they were read. Never raises."""
        async with self._lock:
            if self.candidates(key_id) or self._clock.monotonic() - self._asked < AGAIN_SECONDS:
                return bool(self.candidates(key_id))
            return not await self.read()

    async def read(self) -> str:
        """Read the keys anew; why that is not possible, if it is not."""
        self._asked = self._clock.monotonic()
        try:
            async with asyncio.timeout(SECONDS):
                await self._read()
        except (TimeoutError, HTTPError, OSError, ValueError, KeyError, msgspec.DecodeError) as error:
            log.warning("keys not read issuer=%s error=%s", self._issuer, error)
            return f"oidc: authenticator for issuer {quote(self._issuer)} is not initialized: {error}"
        return ""

    async def _read(self) -> None:
        document = await self._get(self._discovery)
        if document["issuer"] != self._issuer:
            raise ValueError(f"oidc: issuer did not match the issuer returned by provider, got {document['issuer']!r}")
        keys: list[Key] = []
        for jwk in (await self._get(document["jwks_uri"]))["keys"]:
            try:
                keys.append(Key(jwk))
            except (KeyError, ValueError) as error:
                log.info("key left out issuer=%s error=%s", self._issuer, error)
        self._keys = keys

    async def _get(self, url: str) -> Any:
        parts = urlsplit(url)
        if parts.scheme != "https":
            raise ValueError(f"{url} is not https")
        origin = Origin(parts.hostname or "", parts.port or 443, self._tls)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        async with open_client() as client:
            answer = await client.send(origin, "GET", target, [("Accept", "application/json")])
            body = await answer.read()
        if answer.status != 200:
            raise ValueError(f"{url} answers {answer.status}")
        return msgspec.json.decode(body)
