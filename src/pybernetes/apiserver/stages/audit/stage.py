"""The stage: writes down what becomes of each request that the policy names."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from pybernetes.api.errors import StatusError
from pybernetes.api.json_text import read_json
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, BodyTooLargeError, DisconnectedError, Response
from pybernetes.apiserver.stages.audit.policy import NAMES, Level, Policy
from pybernetes.apiserver.stages.authenticate.user import to_tree

log = logging.getLogger(__name__)
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"


class Sink(Protocol):
    """Where events go."""

    def write(self, event: dict[str, Any]) -> None:
        """Never raises."""
        ...


class LogFile:
    """One JSON object per line, appended with one write each, so that lines of several servers never mix."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, event: dict[str, Any]) -> None:
        try:
            os.write(self._file, msgspec.json.encode(event) + b"\n")
        except OSError as error:
            log.error("audit event lost id=%s err=%s", event["auditID"], error)


@dataclass(frozen=True, slots=True)
class Audit:
    """Writes an event when a request comes in and when it has been answered."""

    policy: Policy
    sink: Sink
    new_id: Callable[[], uuid.UUID] = uuid.uuid4

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        level, omitted = self.policy.decide(ctx)
        if level is Level.NONE:
            return await proceed(ctx)
        event = self._event(ctx, level)
        if RECEIVED not in omitted:
            self.sink.write(event | {"stage": RECEIVED, "stageTimestamp": event["requestReceivedTimestamp"]})
        try:
            answer = await proceed(ctx)
        except StatusError as error:
            await self._complete(ctx, event, level, error.code, error.status, omitted)
            raise
        except Exception:
            await self._complete(ctx, event, level, 500, None, omitted, stage=PANIC)
            raise
        body = _object(answer) if level is Level.REQUEST_RESPONSE else None
        await self._complete(ctx, event, level, answer.status, body, omitted)
        return answer

    def _event(self, ctx: RequestContext, level: Level) -> dict[str, Any]:
        request, info = ctx.request, ctx.info
        query = f"?{request.query_string}" if request.query_string else ""
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": NAMES[level],
            "auditID": request.headers.get("audit-id") or str(self.new_id()),
            "requestURI": f"{request.path}{query}",
            "verb": info.verb,
            "user": to_tree(ctx.impersonator or ctx.user),
            "sourceIPs": [request.remote] if request.remote else [],
            "userAgent": request.headers.get("user-agent", ""),
            "requestReceivedTimestamp": _micro_time(ctx),
        }
        if ctx.impersonator is not None:
            event["impersonatedUser"] = to_tree(ctx.user)
        if info.is_resource_request:
            reference = {
                "resource": info.resource,
                "namespace": info.namespace,
                "name": info.name,
                "apiGroup": info.api_group,
                "apiVersion": info.api_version,
                "subresource": info.subresource,
            }
            event["objectRef"] = {key: value for key, value in reference.items() if value}
        return event

    async def _complete(
        self,
        ctx: RequestContext,
        event: dict[str, Any],
        level: Level,
        code: int,
        body: Any,
        omitted: Any,
        *,
        stage: str = COMPLETE,
    ) -> None:
        if stage in omitted:
            return
        status: dict[str, Any] = {"metadata": {}, "code": code}
        if code >= 400 and isinstance(body, dict):
            status |= {key: body[key] for key in ("status", "message", "reason", "details") if key in body}
        event = event | {"stage": stage, "responseStatus": status, "stageTimestamp": _micro_time(ctx)}
        if level >= Level.REQUEST and (sent := await _request_object(ctx)) is not None:
            event["requestObject"] = sent
        if level is Level.REQUEST_RESPONSE and body is not None:
            event["responseObject"] = body
        if ctx.audit:
            event["annotations"] = dict(ctx.audit)
        self.sink.write(event)


async def _request_object(ctx: RequestContext) -> Any:
    if ctx.request.method not in ("POST", "PUT", "PATCH", "DELETE"):
        return None
    try:
        return _parsed(await ctx.request.body())
    except (BodyTooLargeError, DisconnectedError):
        return None


def _object(answer: Answer) -> Any:
    if not isinstance(answer, Response) or not answer.content_type.startswith("application/json"):
        return None
    return _parsed(b"".join(answer.body) if isinstance(answer.body, list) else answer.body)


def _parsed(body: bytes) -> Any:
    try:
        return read_json(body) if body else None
    except ValueError:
        return None


def _micro_time(ctx: RequestContext) -> str:
    return ctx.services.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
