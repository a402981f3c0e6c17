"""The stages of every request, the outermost first."""

from __future__ import annotations

from pathlib import Path

from pybernetes.apiserver.chain import Stage
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.stages.audit.policy import parse_policy
from pybernetes.apiserver.stages.audit.stage import Audit, LogFile
from pybernetes.apiserver.stages.authenticate.stage import Authenticate
from pybernetes.apiserver.stages.authorize.stage import Authorize
from pybernetes.apiserver.stages.deprecation import WarnDeprecated
from pybernetes.apiserver.stages.impersonate import Impersonate


def stages(services: Services, limit: Stage) -> list[Stage]:
    """Those that the server's options switch on; `limit` says who must wait. Raises OSError, ValueError."""
    security, options = services.security, services.options
    ordered: list[Stage | None] = [
        WarnDeprecated(),
        Authenticate(security.authenticator),
        Impersonate(security.authorizer),
        _audit(options),
        limit,
        Authorize(security.authorizer),
    ]
    return [stage for stage in ordered if stage is not None]


def _audit(options: Options) -> Audit | None:
    """Auditing needs both a policy and somewhere to write, as upstream's does."""
    if not options.audit_policy_file or not options.audit_log_path:
        return None
    policy = parse_policy(Path(options.audit_policy_file).read_text("utf-8"))
    return Audit(policy, LogFile(Path(options.audit_log_path)))
