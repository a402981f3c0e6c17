"""TLS contexts of clients that trust what Go's clients trust, which certificates in clusters are made for.

OpenSSL is stricter in three ways. It wants a chain to end in a certificate that has signed itself; any of those that
were given will do. Since Python 3.13 it wants certificates to be as RFC 5280 says, which few home-made ones are. And a
server's certificate whose issuer is called as itself is one that has signed itself to it (`vouch`).
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime

SELF_SIGNED = 18
"""OpenSSL's X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT."""


def client_context(authorities: str | None = None, *, file: str | None = None) -> ssl.SSLContext:
    """Trusts these certificates (PEM), those of a file, or without either what this machine trusts.

    Raises ssl.SSLError, OSError. The machine's own take a tenth of a second to load.
    """
    context = ssl.create_default_context(cafile=file, cadata=authorities)
    context.verify_flags = context.verify_flags & ~ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


async def vouch(context: ssl.SSLContext, host: str, port: int, server_name: str) -> bool:
    """Trust the certificate of this server from now on, if one of the context's authorities has issued it.

    For one that was refused as SELF_SIGNED: libraries for webhooks give authority and server the same name. The
    signature is checked here; name and time are by OpenSSL, at the next handshake. Raises OSError.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    offered = await _certificate_of(host, port, server_name)
    certificate = x509.load_der_x509_certificate(offered)
    now = datetime.now(UTC)
    for encoded in context.get_ca_certs(binary_form=True):
        authority = x509.load_der_x509_certificate(encoded)
        if not authority.not_valid_before_utc <= now <= authority.not_valid_after_utc:
            continue
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        context.load_verify_locations(cadata=offered)
        return True
    return False


async def _certificate_of(host: str, port: int, server_name: str) -> bytes:
    """What a server shows, whoever has issued it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, host, port, ssl=context, server_hostname=server_name
    )
    try:
        shown: bytes | None = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        transport.abort()
    return shown or b""
