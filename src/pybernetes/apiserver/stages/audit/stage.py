"""The stage: writes down what becomes of each request that the policy names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Duplex, Response, StreamResponse, StreamWriter, UpgradeResponse
from pybernetes.apiserver.stages.audit.event import (
    NOBODY,
    add_response,
    answered_object,
    complete_reference,
    micro_time,
    new_event,
    sent_object,
    without_managed_fields,
)
from pybernetes.apiserver.stages.audit.log import Sink
from pybernetes.apiserver.stages.audit.policy import COMPLETE, PANIC, RECEIVED, STARTED, Decision, Level, Policy
from pybernetes.apiserver.stages.authenticate.user import to_tree
from pybernetes.telemetry.metrics import Counter, Registry


class Audit:
    """Writes an event when a request comes in, when a long answer begins, and when it has been answered."""

    def __init__(
        self,
        policy: Policy,
        sinks: Sequence[Sink],
        metrics: Registry,
    ) -> None:
        self._policy = policy
        self._sinks = sinks
        self._events = Counter("apiserver_audit_event_total", "Counter of audit events generated and sent to the audit backend.")  # fmt: skip
        self._levels = Counter("apiserver_audit_level_total", "Counter of policy levels for audit events (1 per request).", ("level",))  # fmt: skip
        metrics.add(self._events, self._levels)

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        decision = self._policy.decide(ctx)
        if decision.level is Level.NONE:
            self._levels.inc("None")
            return await proceed(ctx)
        event = new_event(ctx, decision.level, ctx.audit_id, ctx.user)
        self._levels.inc(event["level"])
        self._emit(ctx, event, decision, RECEIVED)
        try:
            answer = await proceed(ctx)
        except StatusError as error:
            await self._end(ctx, event, decision, error.code, error.status)
            raise
        except Exception as error:
            told = {"status": "Failure", "message": f"APIServer panic'd: {error}", "reason": "InternalError"}
            await self._end(ctx, event, decision, 500, told, stage=PANIC)
            raise
        if isinstance(answer, Response):
            full = decision.level is Level.REQUEST_RESPONSE or answer.status >= 400
            await self._end(ctx, event, decision, answer.status, answered_object(answer) if full else None)
        else:
            self._follow(ctx, event, decision, answer)
        return answer

    def refused(self, ctx: RequestContext, error: StatusError, attempted: str) -> None:
        """A request that nobody may have sent: its credentials are not valid."""
        ctx.user = NOBODY
        decision = self._policy.decide(ctx)
        if decision.level is Level.NONE:
            return
        event = new_event(ctx, decision.level, ctx.audit_id, NOBODY)
        words = (
            f"Authentication failed, attempted: {attempted}"
            if attempted
            else "Authentication failed, no credentials provided"
        )
        add_response(event, error.code, {"status": "Failure", "message": words, "reason": error.reason})
        self._emit(ctx, event, decision, STARTED)

    def _follow(
        self, ctx: RequestContext, event: Tree, decision: Decision, answer: StreamResponse | UpgradeResponse
    ) -> None:
        """A long answer has begun; it ends when its run does."""
        self._add_outcome(ctx, event, answer.status, None)
        self._emit(ctx, event, decision, STARTED)

        def ended() -> None:
            self._add_outcome(ctx, event, answer.status, None)
            self._emit(ctx, event, decision, COMPLETE)

        if isinstance(answer, StreamResponse):
            stream = answer.run

            async def run(writer: StreamWriter) -> None:
                try:
                    await stream(writer)
                finally:
                    ended()

            answer.run = run
            return
        upgraded = answer.run

        async def run_upgraded(duplex: Duplex) -> None:
            try:
                await upgraded(duplex)
            finally:
                ended()

        answer.run = run_upgraded

    async def _end(
        self, ctx: RequestContext, event: Tree, decision: Decision, code: int, body: Any, *, stage: str = COMPLETE
    ) -> None:
        if stage in decision.omitted:
            return
        sent = await sent_object(ctx)
        complete_reference(event, sent)
        self._add_outcome(ctx, event, code, body if isinstance(body, dict) else None)
        if decision.level >= Level.REQUEST and sent is not None:
            event["requestObject"] = without_managed_fields(sent) if decision.omit_managed_fields else sent
        if decision.level is Level.REQUEST_RESPONSE and body is not None:
            event["responseObject"] = without_managed_fields(body) if decision.omit_managed_fields else body
        self._emit(ctx, event, decision, stage)

    @staticmethod
    def _add_outcome(ctx: RequestContext, event: Tree, code: int, status: Tree | None) -> None:
        add_response(event, code, status)
        if ctx.impersonator is not None:
            event["impersonatedUser"] = to_tree(ctx.user)
        if ctx.audit:
            event["annotations"] = dict(ctx.audit)

    def _emit(self, ctx: RequestContext, event: Tree, decision: Decision, stage: str) -> None:
        if stage in decision.omitted:
            return
        now = event["requestReceivedTimestamp"] if stage == RECEIVED else micro_time(ctx)
        told = event | {"stage": stage, "stageTimestamp": now}
        self._events.inc()
        for sink in self._sinks:
            sink.write(told)
