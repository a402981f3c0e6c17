"""Keys that sign and verify tokens: RSA (RS256) and P-256 (ES256), as PEM files name them.

`cryptography` is used directly rather than a JWT package: the server signs one shape of token and verifies its own
keys only, so that the general part of such a package (algorithms by header, key look-up) is what must not happen.
"""

import base64
import hashlib
from typing import Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509 import load_pem_x509_certificate
from msgspec import Struct

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

COORDINATE = 32  # bytes of a P-256 coordinate, and of each half of an ES256 signature (RFC 7518, 3.4)


class KeyFileError(ValueError):
    """The file holds no key that tokens can be signed or verified with."""


def encode_segment(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_segment(text: str) -> bytes:
    """The bytes of a base64url segment. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


class Verifier(Struct, frozen=True):
    """A public key with its id and the one algorithm that it is used with."""

    key: PublicKey
    key_id: str
    algorithm: str

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's over `signed`."""
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            elif len(signature) != 2 * COORDINATE:
                return False
            else:
                r, s = (int.from_bytes(half, "big") for half in (signature[:COORDINATE], signature[COORDINATE:]))
                self.key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def to_jwk(self) -> dict[str, str]:
        """The key as RFC 7517 writes it, for `/openid/v1/jwks`."""
        common = {"use": "sig", "kid": self.key_id, "alg": self.algorithm}
        if isinstance(self.key, rsa.RSAPublicKey):
            numbers = self.key.public_numbers()
            return {**common, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        point = self.key.public_numbers()
        x, y = (encode_segment(value.to_bytes(COORDINATE, "big")) for value in (point.x, point.y))
        return {**common, "kty": "EC", "crv": "P-256", "x": x, "y": y}


class Signer(Protocol):
    """Something that signs tokens; `verifier` is its public side."""

    @property
    def verifier(self) -> Verifier: ...

    def sign(self, data: bytes) -> bytes:
        """The JWS signature of `data`."""
        ...


class FileSigner(Struct, frozen=True):
    """A private key from `--service-account-signing-key-file`."""

    key: PrivateKey
    verifier: Verifier

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(COORDINATE, "big") + s.to_bytes(COORDINATE, "big")


def _number(value: int) -> str:
    return encode_segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def verifier_of(key: object) -> Verifier:
    """The verifier of a public key; its id is the digest of the key, so that it stays the same over restarts."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return Verifier(key, _key_id(key), "ES256")
    if isinstance(key, rsa.RSAPublicKey):
        return Verifier(key, _key_id(key), "RS256")
    raise KeyFileError("only RSA and P-256 keys can sign tokens")


def _key_id(key: PublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encode_segment(hashlib.sha256(der).digest())


def load_signer(pem: bytes) -> FileSigner:
    """The signer of a PEM private key. Raises KeyFileError."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"no private key: {error}") from error
    verifier = verifier_of(key.public_key())
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyFileError("only RSA and P-256 keys can sign tokens")
    return FileSigner(key, verifier)


def load_verifiers(pem: bytes) -> list[Verifier]:
    """Every key of a PEM file: public keys, private keys (their public side) and certificates. Raises KeyFileError."""
    blocks = [b"-----BEGIN " + block for block in pem.split(b"-----BEGIN ")[1:]]
    if not blocks:
        raise KeyFileError("no key in the file")
    return [verifier_of(_load_public(block)) for block in blocks]


def _load_public(block: bytes) -> object:
    try:
        if block.startswith(b"-----BEGIN CERTIFICATE"):
            return load_pem_x509_certificate(block).public_key()
        if b"PRIVATE KEY" in block.partition(b"\n")[0]:
            return serialization.load_pem_private_key(block, password=None).public_key()
        return serialization.load_pem_public_key(block)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"no public key: {error}") from error
