"""The authorizers that flags or a configuration name, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pybernetes.aio.clock import Clock
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.stages.authorize.attributes import AlwaysAllow, AlwaysDeny, Authorizer, Masters, Union
from pybernetes.telemetry.metrics import Computed
from pybernetes.telemetry.metrics import Registry as Metrics

if TYPE_CHECKING:  # most servers have no webhooks and no file
    from pybernetes.apiserver.reload import Reload
    from pybernetes.apiserver.stages.authorize.configuration import Authorization
    from pybernetes.apiserver.stages.authorize.webhook import WebhookMetrics

PLAIN = frozenset(("AlwaysAllow", "AlwaysDeny", "Node", "RBAC"))
FLAGS = ("authorization_mode", "authorization_policy_file", "authorization_webhook_config_file", "authorization_webhook_version", "authorization_webhook_cache_authorized_ttl", "authorization_webhook_cache_unauthorized_ttl")  # fmt: skip


class Modes:
    """Makes authorizers. `rbac` and `node` make theirs once, and only if they are named at the start."""

    def __init__(
        self, rbac: Callable[[], Authorizer], node: Callable[[], Authorizer], clock: Clock, metrics: Metrics
    ) -> None:
        self._makers = {"RBAC": rbac, "Node": node, "AlwaysAllow": AlwaysAllow, "AlwaysDeny": AlwaysDeny}
        self._policy_file = ""
        self._made: dict[str, Authorizer] = {}
        self._clock = clock
        self._metrics = metrics
        self._webhooks: WebhookMetrics | None = None
        self.union = Union([Masters()])
        """Of all of them."""
        words = "Total number of terminal decisions made by an authorizer split by authorizer type, name, and decision."
        labels = "type", "name", "decision"
        metrics.add(Computed("apiserver_authorization_decisions_total", words, labels, self._decisions, kind="counter"))

    def _decisions(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for name, counts in self.union.tally.items():
            for decision, count in zip(("denied", "allowed"), counts, strict=True):
                if count:
                    yield (*name, decision), count

    def start(self, options: Options) -> Reload | None:
        """Use what the options name; what is returned follows the file. Raises ConfigurationError."""
        file, self._policy_file = options.authorization_config, options.authorization_policy_file
        others = options.authorization_webhook_config_file or self._policy_file
        if not file and PLAIN.issuperset(options.authorization_mode) and not others:
            modes = dict.fromkeys(options.authorization_mode)
            if len(modes) == len(options.authorization_mode):
                self.union.use({(mode, mode.lower()): self._mode(mode, starting=True) for mode in modes})
                return None
        from pybernetes.apiserver.stages.authorize.configuration import load, of_flags, parse

        if not file:
            self._use(of_flags(options), starting=True)
            return None
        if any(getattr(options, name) != getattr(Options(), name) for name in FLAGS):
            words = "--authorization-config can not be specified when --authorization-mode or --authorization-webhook-* flags are defined"  # fmt: skip
            raise ConfigurationError(words)
        first = load(file)
        self._use(first, starting=True)
        needed = frozenset(one.type for one in first.authorizers if one.type != "Webhook")
        last = first

        async def use(text: str) -> None:
            nonlocal last
            found = parse(text, needed)
            if found != last:
                self._use(found)
                last = found

        from pybernetes.apiserver.reload import Reload

        return Reload("authorization", file, use, options, self._clock, self._metrics)

    def _use(self, configuration: Authorization, *, starting: bool = False) -> None:
        from pybernetes.apiserver.stages.authorize.webhook import WebhookAuthorizer, WebhookMetrics

        found: dict[tuple[str, str], Authorizer] = {}
        for one in configuration.authorizers:
            if one.webhook is None:
                found[one.type, one.name] = self._mode(one.type, starting=starting)
                continue
            self._webhooks = self._webhooks or WebhookMetrics(self._metrics)
            found[one.type, one.name] = WebhookAuthorizer(one.name, one.webhook, self._clock, self._webhooks)
        self.union.use(found)

    def _mode(self, mode: str, *, starting: bool) -> Authorizer:
        if mode not in self._made:
            if not starting and mode in ("ABAC", "RBAC", "Node"):
                words = f"authorizer type {mode} is not allowed if it was not enabled at initial server startup"
                raise ConfigurationError(words)
            self._made[mode] = self._abac() if mode == "ABAC" else self._makers[mode]()
        return self._made[mode]

    def _abac(self) -> Authorizer:
        """Raises ConfigurationError."""
        from pybernetes.apiserver.stages.authorize.abac import load

        if not self._policy_file:
            raise ConfigurationError("authorization-mode ABAC's authorization policy file not passed")
        return load(self._policy_file)
