"""Signing and checking of compact JWS (RFC 7515): the envelope alone, no claims."""

import json
from collections.abc import Iterable

import msgspec

from pybernetes.apiserver.stages.authenticate.tokens.keys import Signer, Verifier, decode_segment, encode_segment


class _Header(msgspec.Struct):
    alg: str
    kid: str = ""


def sign(signer: Signer, payload: bytes) -> str:
    """The compact form of the signed payload."""
    header = json.dumps({"alg": signer.verifier.algorithm, "kid": signer.verifier.key_id}, separators=(",", ":"))
    signed = f"{encode_segment(header.encode())}.{encode_segment(payload)}"
    return f"{signed}.{encode_segment(signer.sign(signed.encode('ascii')))}"


def verify(verifiers: Iterable[Verifier], token: str) -> bytes | None:
    """The payload, if one of the keys signed it with that key's own algorithm; otherwise None."""
    try:
        signed, _, signature = token.rpartition(".")
        header_segment, _, payload_segment = signed.partition(".")
        header = msgspec.json.decode(decode_segment(header_segment), type=_Header)
        payload, proof = decode_segment(payload_segment), decode_segment(signature)
    except ValueError:
        return None
    for verifier in verifiers:
        # The key decides the algorithm: a token cannot choose a weaker one, or none.
        fits = header.alg == verifier.algorithm and header.kid in ("", verifier.key_id)
        if fits and verifier.verifies(signed.encode("ascii"), proof):
            return payload
    return None


class _Issuer(msgspec.Struct):
    iss: str = ""


def unverified_issuer(token: str) -> str:
    """Whose token this claims to be, to choose who checks it; empty if it is no JWT at all."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        return msgspec.json.decode(decode_segment(parts[1]), type=_Issuer).iss
    except ValueError:
        return ""
