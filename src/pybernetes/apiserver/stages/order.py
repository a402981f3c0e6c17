"""The stages of every request, the outermost first."""

from __future__ import annotations

from pybernetes.apiserver.chain import Stage
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.stages.authenticate.stage import Authenticate
from pybernetes.apiserver.stages.authorize.stage import Authorize
from pybernetes.apiserver.stages.impersonate import Impersonate


def stages(services: Services) -> list[Stage]:
    """Those that the server's options switch on."""
    security = services.security
    return [
        Authenticate(security.authenticator),
        Impersonate(security.authorizer),
        Authorize(security.authorizer),
    ]
