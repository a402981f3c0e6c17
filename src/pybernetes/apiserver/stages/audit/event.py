"""An audit event: what is told of a request, its objects and its answer."""

from __future__ import annotations

import gzip
from typing import Any, Final

from pybernetes.api.json_text import read_json
from pybernetes.api.protobuf import decode_object
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, BodyTooLargeError, DisconnectedError, Response
from pybernetes.apiserver.negotiate import PROTOBUF
from pybernetes.apiserver.stages.audit.policy import NAMES, Level
from pybernetes.apiserver.stages.authenticate.user import to_tree
from pybernetes.apiserver.user import UserInfo

WRITES: Final = frozenset(("create", "update", "patch", "delete", "deletecollection"))
NOBODY: Final = UserInfo("")


def new_event(ctx: RequestContext, level: Level, audit_id: str, user: UserInfo) -> Tree:
    """What is known when the request comes in, without a stage."""
    request, info = ctx.request, ctx.info
    query = f"?{request.query_string}" if request.query_string else ""
    event: Tree = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": NAMES[level],
        "auditID": audit_id,
        "stage": "",
        "requestURI": f"{request.raw_path}{query}",
        "verb": info.verb,
        "user": to_tree(user) if user.name else {},
        "sourceIPs": _source_addresses(ctx),
        "userAgent": request.headers.get("user-agent", ""),
        "requestReceivedTimestamp": micro_time(ctx),
    }
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


def _source_addresses(ctx: RequestContext) -> list[str]:
    """The client and the proxies before this server, as far as headers tell."""
    headers = ctx.request.headers
    told = [part.strip() for part in headers.get("x-forwarded-for", "").split(",")]
    found = [*told, headers.get("x-real-ip", "").strip(), ctx.request.remote]
    return list(dict.fromkeys(address for address in found if address))


def add_response(event: Tree, code: int, status: Tree | None) -> None:
    """How the request was answered; `status` is the Status of an error."""
    told: Tree = {"metadata": {}, "code": code}
    if code >= 400 and status is not None:
        told |= {key: status[key] for key in ("status", "message", "reason", "details") if key in status}
    event["responseStatus"] = told


async def sent_object(ctx: RequestContext) -> Any:
    """What the request carries, if it was looked at at all; None for what is no object."""
    if ctx.info.verb not in WRITES or not ctx.request.was_read:
        return None
    try:
        return _parsed(await ctx.request.body(), ctx.request.headers.get("content-type", ""))
    except (BodyTooLargeError, DisconnectedError):
        return None


def answered_object(answer: Answer) -> Any:
    if not isinstance(answer, Response):
        return None
    body = b"".join(answer.body) if isinstance(answer.body, list) else answer.body
    if ("content-encoding", "gzip") in answer.headers:
        body = gzip.decompress(body)
    return _parsed(body, answer.content_type)


def _parsed(body: bytes, content_type: str) -> Any:
    """JSON, protobuf or YAML as a tree."""
    if not body:
        return None
    try:
        if content_type.startswith(PROTOBUF):
            return decode_object(body)
        if "yaml" in content_type:
            import yaml

            return yaml.safe_load(body)
        return read_json(body)
    except Exception:  # whatever it is: a client's bytes must not fail the log
        return None


def complete_reference(event: Tree, sent: Any) -> None:
    """Name and version of the object, where only the request's body tells them."""
    metadata = sent.get("metadata") if isinstance(sent, dict) else None
    if not isinstance(metadata, dict) or "objectRef" not in event:
        return
    reference = event["objectRef"]
    for key in ("name", "namespace", "uid", "resourceVersion"):
        if isinstance(value := metadata.get(key), str) and value:
            reference.setdefault(key, value)


def without_managed_fields(obj: Any) -> Any:
    """The object, or the objects of a list, without managedFields; a copy as far as it is changed."""
    if not isinstance(obj, dict):
        return obj
    made = dict(obj)
    if isinstance(obj.get("metadata"), dict):
        made["metadata"] = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    if isinstance(obj.get("items"), list):
        made["items"] = [without_managed_fields(item) for item in obj["items"]]
    return made


def micro_time(ctx: RequestContext) -> str:
    return ctx.services.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
