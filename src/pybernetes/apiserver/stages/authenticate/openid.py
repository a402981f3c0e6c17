"""The two documents by which anybody can check this cluster's service-account tokens."""

from __future__ import annotations

import msgspec

from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.stages.authenticate.tokens.issuer import key_set, openid_configuration
from pybernetes.apiserver.stages.security import Security

KEYS_PATH = "/openid/v1/jwks"
KEYS_TYPE = "application/jwk-set+json"
CACHE = [("cache-control", "public, max-age=3600")]


class OpenID:
    """Pages of OpenID Connect Discovery; made once, since keys and issuer do not change while the server runs."""

    def __init__(self, security: Security, options: Options) -> None:
        host = options.advertise_address or options.bind_address
        uri = f"https://{host}:{options.secure_port}{KEYS_PATH}"
        configuration = openid_configuration(security.issuer.url, uri, security.verifiers)
        self._configuration = msgspec.json.encode(configuration)
        self._keys = msgspec.json.encode(key_set(security.verifiers))

    def configuration(self, ctx: RequestContext) -> Response:
        return Response(200, self._configuration, headers=list(CACHE))

    def keys(self, ctx: RequestContext) -> Response:
        return Response(200, self._keys, KEYS_TYPE, list(CACHE))
