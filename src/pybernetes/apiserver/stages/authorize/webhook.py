"""Authorizers elsewhere: a SubjectAccessReview is posted, its answer kept for a while.

An authorizer answers from memory. What is not in memory it does not know yet: the decision says so (`pending`), and who
can wait asks the webhook and then puts the question again (`decide`).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.cel.environment import Program
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.selectors import fields as field_selectors
from pybernetes.api.selectors import labels as label_selectors
from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.authorize.attributes import NO_OPINION, Attributes, Decision
from pybernetes.apiserver.stages.authorize.configuration import CONDITIONS, Webhook
from pybernetes.apiserver.stages.reviews import ReviewClient, ReviewError
from pybernetes.apiserver.user import UserInfo
from pybernetes.flags import duration
from pybernetes.telemetry.metrics import Counter, Histogram, Registry

log = logging.getLogger(__name__)
REMEMBERED: Final = 8192
MAX_REMEMBERED_SIZE: Final = 10000
"""Longer questions are not kept: what they are long by, their sender chose."""
OPERATORS: Final = {
    label_selectors.EQUALS: "In", label_selectors.DOUBLE_EQUALS: "In", label_selectors.IN: "In",
    label_selectors.NOT_EQUALS: "NotIn", label_selectors.NOT_IN: "NotIn", label_selectors.EXISTS: "Exists",
    label_selectors.NOT_EXISTS: "DoesNotExist",
}  # fmt: skip
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Answer(Struct, frozen=True):
    decision: Decision
    until: float


class WebhookMetrics:
    """What /metrics tells of all webhooks that authorize."""

    def __init__(self, metrics: Registry) -> None:
        labels = ("name", "result")
        prefix = "apiserver_authorization_webhook_"
        self.evaluations = Counter(f"{prefix}evaluations_total", "Round-trips to authorization webhooks.", labels)
        self.durations = Histogram(f"{prefix}duration_seconds", "Request latency in seconds.", labels, BUCKETS)
        self.fail_open = Counter(f"{prefix}evaluations_fail_open_total", "NoOpinion results due to webhook timeout or error.", labels)  # fmt: skip
        metrics.add(self.evaluations, self.durations, self.fail_open)


class WebhookAuthorizer:
    """One webhook."""

    def __init__(self, name: str, webhook: Webhook, clock: Clock, metrics: WebhookMetrics) -> None:
        """Raises ConfigurationError."""
        self._name = name
        self._client = ReviewClient(webhook.connection_info.kube_config_file or "", duration(webhook.timeout), clock)
        self._version = webhook.subject_access_review_version
        self._clock = clock
        self._metrics = metrics
        self._lives = {
            True: duration(webhook.authorized_ttl) if webhook.cache_authorized_requests else 0.0,
            False: duration(webhook.unauthorized_ttl) if webhook.cache_unauthorized_requests else 0.0,
        }
        self._denies = webhook.failure_policy == "Deny"
        self._conditions: list[Program] = [CONDITIONS.compile(one.expression) for one in webhook.match_conditions]
        self._answers: OrderedDict[str, _Answer] = OrderedDict()

    def authorize(self, attributes: Attributes) -> Decision:
        answer = self._answers.get(_key(attributes))
        if answer is not None and self._clock.monotonic() < answer.until:
            return answer.decision
        return Decision(False, pending=self)

    def unlisted(self, user: UserInfo) -> str:
        return "webhook authorizer does not support user rule resolution"

    async def ask(self, attributes: Attributes) -> Decision:
        """The webhook's decision, or what its failure policy says. Never raises."""
        spec = _spec(attributes)
        try:
            if not self._matches(spec):
                return self._keep(attributes, NO_OPINION, self._lives[False])
            status = await self._review(spec)
        except (EvaluationError, ReviewError) as error:
            log.warning("authorization webhook failed name=%s error=%s", self._name, error)
            if isinstance(error, ReviewError) and not self._denies:
                self._metrics.fail_open.inc(self._name, error.result)
            return Decision(False, denied=True) if self._denies else NO_OPINION
        allowed, denied = bool(status.get("allowed")), bool(status.get("denied"))
        decision = Decision(allowed and not denied, str(status.get("reason") or ""), denied=denied)
        return self._keep(attributes, decision, self._lives[allowed])

    async def _review(self, spec: Tree) -> Tree:
        """Raises ReviewError."""
        if self._version == "v1beta1":
            spec = {"group" if key == "groups" else key: value for key, value in spec.items()}
        kind = {"kind": "SubjectAccessReview", "apiVersion": f"authorization.k8s.io/{self._version}"}
        began, result = self._clock.monotonic(), "success"
        try:
            return await self._client.ask(kind | {"metadata": {}, "spec": spec})
        except ReviewError as error:
            result = error.result
            raise
        finally:
            self._metrics.evaluations.inc(self._name, result)
            self._metrics.durations.observe(self._clock.monotonic() - began, self._name, result)

    def _keep(self, attributes: Attributes, decision: Decision, seconds: float) -> Decision:
        if seconds > 0 and sum(map(len, attributes[1:])) < MAX_REMEMBERED_SIZE:
            self._answers[_key(attributes)] = _Answer(decision, self._clock.monotonic() + seconds)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return decision

    def _matches(self, spec: Tree) -> bool:
        """Raises EvaluationError, unless another condition is not met."""
        failure: EvaluationError | None = None
        for condition in self._conditions:
            try:
                if condition.evaluate({"request": spec}) is not True:
                    return False
            except EvaluationError as error:
                failure = error
        if failure is not None:
            raise failure
        return True


def _key(asked: Attributes) -> str:
    return repr((asked.user.name, asked.user.uid, asked.user.groups, sorted(asked.user.extra.items()), asked[1:]))


def _spec(asked: Attributes) -> Tree:
    user = asked.user
    spec: Tree = {"user": user.name, "groups": list(user.groups)}
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    if not asked.resource:
        return spec | {"nonResourceAttributes": {"path": asked.path, "verb": asked.verb}}
    named = {
        "namespace": asked.namespace, "verb": asked.verb, "group": asked.group, "version": asked.version,
        "resource": asked.resource, "subresource": asked.subresource, "name": asked.name,
    }  # fmt: skip
    made: Tree = {key: value for key, value in named.items() if value}
    for name, requirements in (("fieldSelector", _fields(asked)), ("labelSelector", _labels(asked))):
        if requirements:
            made[name] = {"requirements": requirements}
    return spec | {"resourceAttributes": made}


def _fields(asked: Attributes) -> list[Tree]:
    """Requirements of the field selector; one that cannot be read narrows nothing."""
    try:
        found = field_selectors.parse(asked.field_selector).requirements if asked.field_selector else ()
    except ValueError:
        return []
    return [{"key": one.field, "operator": "NotIn" if one.negated else "In", "values": [one.value]} for one in found]


def _labels(asked: Attributes) -> list[Tree]:
    try:
        found = label_selectors.parse(asked.label_selector).requirements if asked.label_selector else ()
    except ValueError:
        return []
    return [
        {"key": one.key, "operator": OPERATORS[one.operator]} | ({"values": list(one.values)} if one.values else {})
        for one in found
        if one.operator in OPERATORS
    ]
