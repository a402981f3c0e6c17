"""The token controller: fills Secrets of type `kubernetes.io/service-account-token`, and deletes those of no account."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pybernetes.api import errors
from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.client.config import ConfigError
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found

TYPE = "kubernetes.io/service-account-token"
NAME_ANNOTATION = "kubernetes.io/service-account.name"
UID_ANNOTATION = "kubernetes.io/service-account.uid"
ISSUER = "kubernetes/serviceaccount"
_COORDINATE_BYTES = 32


class TokenSigner:
    """Signs JSON web tokens (RFC 7515) with an RSA key (RS256) or one of P-256 (ES256)."""

    def __init__(self, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        self._header = {"alg": algorithm, "kid": _segment(hashlib.sha256(der).digest())}

    def sign(self, claims: dict[str, str]) -> str:
        """The token of these claims."""
        text = f"{_segment(msgspec.json.encode(self._header))}.{_segment(msgspec.json.encode(claims))}"
        return f"{text}.{_segment(self._signature(text.encode()))}"

    def _signature(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        halves = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(half.to_bytes(_COORDINATE_BYTES, "big") for half in halves)


def load_signer(file: str) -> TokenSigner | None:
    """The signer of a PEM private key; None without a file. Raises ConfigError for a key that cannot sign."""
    if not file:
        return None
    try:
        key = load_pem_private_key(Path(file).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"service account key {file}: {error}") from error
    if isinstance(key, rsa.RSAPrivateKey):
        return TokenSigner(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return TokenSigner(key)
    raise ConfigError(f"service account key {file}: only RSA and P-256 keys can sign tokens")


class TokensController(KeyedController):
    """Keys are Secrets. Without `--service-account-private-key-file` it only deletes."""

    name = "serviceaccount-token-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.signer = load_signer(context.options.service_account_private_key_file)
        file = context.options.root_ca_file
        self._root_ca = Path(file).read_bytes() if file else b""
        self.secrets = context.informers.of(core_v1.Secret, field_selector=f"type={TYPE}")
        self.accounts = context.informers.of(core_v1.ServiceAccount)
        self.secrets.subscribe(self.enqueue_change)
        self.accounts.subscribe(self._on_account)

    def _on_account(self, old: core_v1.ServiceAccount | None, new: core_v1.ServiceAccount | None) -> None:
        account = new or old
        if account is None or (old is not None and new is not None):
            return
        for secret in self.secrets.list(account.metadata.namespace or ""):
            if secret.metadata.annotations.get(NAME_ANNOTATION) == account.metadata.name:
                self.enqueue(secret)

    async def reconcile(self, key: Key) -> None:
        secret = self.secrets.get(key[1], key[0])
        if secret is None or secret.metadata.deletion_timestamp is not None:
            return
        annotations = secret.metadata.annotations
        given = annotations.get(UID_ANNOTATION)
        account = await self._account(key[0], annotations.get(NAME_ANNOTATION, ""), given)
        if account is None:
            await ignore_not_found(self.client.delete(core_v1.Secret, key[1], key[0], uid=secret.metadata.uid or ""))
            return
        data = self._data(secret, account)
        if self.signer is None or (data == secret.data and given):
            return
        metadata = msgspec.structs.replace(
            secret.metadata, annotations={**annotations, UID_ANNOTATION: account.metadata.uid or ""}
        )
        self.secrets.assume(await self.client.update(msgspec.structs.replace(secret, metadata=metadata, data=data)))

    async def _account(self, namespace: str, name: str, uid: str | None) -> core_v1.ServiceAccount | None:
        """None if there is none of this name and UID (if one is given).

        The server has the last word: an account that was made together with its Secret may not be in the cache yet.
        """
        found = self.accounts.get(name, namespace)
        if found is None or (uid and uid != found.metadata.uid):
            try:
                found = await self.client.get(core_v1.ServiceAccount, name, namespace)
            except errors.StatusError as error:
                if not errors.is_not_found(error):
                    raise
                return None
        return found if not uid or uid == found.metadata.uid else None

    def _data(self, secret: core_v1.Secret, account: core_v1.ServiceAccount) -> dict[str, str]:
        """What the Secret should hold; a token that is there stays."""
        namespace, name = account.metadata.namespace or "", account.metadata.name or ""
        data = dict(secret.data)
        if self._root_ca:
            data["ca.crt"] = _encoded(self._root_ca)
        data["namespace"] = _encoded(namespace.encode())
        if not data.get("token") and self.signer is not None:
            prefix = "kubernetes.io/serviceaccount"
            claims = {
                "iss": ISSUER,
                f"{prefix}/namespace": namespace,
                f"{prefix}/secret.name": secret.metadata.name or "",
                f"{prefix}/service-account.name": name,
                f"{prefix}/service-account.uid": account.metadata.uid or "",
                "sub": f"system:serviceaccount:{namespace}:{name}",
            }
            data["token"] = _encoded(self.signer.sign(claims).encode())
        return data


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
