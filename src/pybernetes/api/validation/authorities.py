"""Bundles of certificate authorities (`caBundle`)."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Final

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----[ \t]*\n?", re.DOTALL)


def bundle_complaint(bundle: str) -> str:
    """Why nobody can be trusted by a bundle (base64 of PEM), in the words of Go's transport; "" if somebody can."""
    from cryptography.x509 import load_pem_x509_certificate  # most definitions have no webhook

    data = b64decode(bundle)
    if not data:
        return ""
    failure, end = "", 0
    for block in _BLOCK.finditer(data):
        end = block.end()
        if block[1] != b"CERTIFICATE":
            continue
        try:
            load_pem_x509_certificate(block[0])
        except ValueError:
            failure = failure or "failed to parse certificate: x509: malformed certificate"
        else:
            return ""
    rest = "unable to parse bytes as PEM block" if end < len(data) else "no valid certificate authority data seen"
    return f"unable to load root certificates: {failure or rest}"
