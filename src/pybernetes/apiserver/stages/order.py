"""The stages of every request, the outermost first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.apiserver.chain import Stage
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.stages.authenticate.metrics import AuthenticationMetrics
from pybernetes.apiserver.stages.authenticate.stage import Authenticate
from pybernetes.apiserver.stages.authorize.stage import Authorize
from pybernetes.apiserver.stages.cors import CORS
from pybernetes.apiserver.stages.deadline import Deadline
from pybernetes.apiserver.stages.deprecation import WarnDeprecated
from pybernetes.apiserver.stages.impersonate import Impersonate

if TYPE_CHECKING:  # most servers are not audited
    from pybernetes.apiserver.stages.audit.log import Sink
    from pybernetes.apiserver.stages.audit.stage import Audit


def stages(services: Services, limit: Stage) -> list[Stage]:
    """Those that the server's options switch on; `limit` says who must wait. Raises OSError, ValueError."""
    security = services.security
    audit = _audit(services)
    ordered: list[Stage | None] = [
        CORS(services.options.cors_allowed_origins) if services.options.cors_allowed_origins else None,
        Deadline(services.options.request_timeout),
        Authenticate(
            security.authenticator,
            audit.refused if audit else None,
            security.bearer.inquire_of if security.bearer.remote else None,
            AuthenticationMetrics(services.metrics),
        ),
        audit,
        Impersonate(security.authorizer),
        limit,
        Authorize(security.authorizer),
        WarnDeprecated(services.metrics),
    ]
    return [stage for stage in ordered if stage is not None]


def _audit(services: Services) -> Audit | None:
    """Auditing needs both a policy and somewhere to write, as upstream's does."""
    options = services.options
    if not options.audit_policy_file:
        return None
    from pybernetes.apiserver.stages.audit.log import LogFile, Rotation, StandardOutput
    from pybernetes.apiserver.stages.audit.policy import load_policy
    from pybernetes.apiserver.stages.audit.stage import Audit

    policy = load_policy(options.audit_policy_file)
    sinks: list[Sink] = []
    if options.audit_log_path == "-":
        sinks.append(StandardOutput())
    elif options.audit_log_path:
        rotation = Rotation(options.audit_log_maxsize, options.audit_log_maxbackup, options.audit_log_maxage)
        sinks.append(LogFile(Path(options.audit_log_path), rotation, services.clock.now))
    if options.audit_webhook_config_file:
        sinks.append(_webhook(services))
    return Audit(policy, sinks, services.metrics) if sinks else None


def _webhook(services: Services) -> Sink:
    """Raises ConfigError."""
    from pybernetes.apiserver.stages.audit.webhook import Batching, Webhook  # a client, which most servers need not
    from pybernetes.client.config import Config

    options = services.options
    batching = Batching(
        options.audit_webhook_batch_buffer_size,
        options.audit_webhook_batch_max_size,
        options.audit_webhook_batch_max_wait,
        options.audit_webhook_initial_backoff,
    )
    webhook = Webhook(Config.from_kubeconfig(options.audit_webhook_config_file), batching, services.clock)
    services.scope.spawn(webhook.run(), "audit-webhook")
    return webhook
