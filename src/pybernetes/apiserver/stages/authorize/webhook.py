"""Authorizers elsewhere: a SubjectAccessReview is posted, its answer kept for a while.

An authorizer answers from memory. What is not in memory it does not know yet: the decision says so (`pending`), and who
can wait asks the webhook and then puts the question again (`decide`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.api.cel.environment import Program
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.errors import StatusError
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.stages.authorize.attributes import NO_OPINION, Attributes, Decision
from pybernetes.apiserver.stages.authorize.configuration import CONDITIONS, Webhook
from pybernetes.client.config import Config
from pybernetes.client.rest import connect
from pybernetes.flags import duration

log = logging.getLogger(__name__)
REMEMBERED: Final = 8192


@dataclass(frozen=True, slots=True)
class _Answer:
    decision: Decision
    until: float


class WebhookAuthorizer:
    """One webhook."""

    def __init__(self, name: str, webhook: Webhook, config: Config, clock: Clock) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._seconds = duration(webhook.timeout)
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

    async def ask(self, attributes: Attributes) -> Decision:
        """The webhook's decision, or what its failure policy says. Never raises."""
        spec = _spec(attributes)
        try:
            if not self._matches(spec):
                return self._keep(attributes, NO_OPINION, self._lives[False])
            status = await self._post(spec)
        except (EvaluationError, StatusError, TimeoutError, ValueError) as error:
            log.warning("authorization webhook failed name=%s error=%s", self._name, error)
            return Decision(False, f"webhook {self._name!r} failed", denied=True) if self._denies else NO_OPINION
        allowed = bool(status.get("allowed"))
        decision = Decision(allowed, str(status.get("reason") or ""), denied=bool(status.get("denied")) and not allowed)
        return self._keep(attributes, decision, self._lives[allowed])

    def _keep(self, attributes: Attributes, decision: Decision, seconds: float) -> Decision:
        if seconds > 0:
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

    async def _post(self, spec: Tree) -> Tree:
        review = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": spec}
        async with asyncio.timeout(self._seconds), connect(self._config, user_agent="kube-apiserver") as client:
            answer = await client.request("POST", "", body=msgspec.json.encode(review))
        told: dict[str, Any] = msgspec.json.decode(answer.body, type=dict[str, Any])
        status = told.get("status")
        if not isinstance(status, dict):
            raise ValueError("the answer is no SubjectAccessReview with a status")
        return status


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
    return spec | {"resourceAttributes": {key: value for key, value in named.items() if value}}
