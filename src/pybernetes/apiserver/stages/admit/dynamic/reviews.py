"""AdmissionReviews (v1 and v1beta1): what webhooks are sent, and what their answers say."""

from __future__ import annotations

import base64
import string
import uuid
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pybernetes.api.decode import json_type
from pybernetes.api.errors import StatusError
from pybernetes.api.field import quote
from pybernetes.api.schema import Json
from pybernetes.api.tree import Tree
from pybernetes.apiserver.json_errors import TYPE_META, parse_json
from pybernetes.apiserver.stages.admit.dynamic.faces import Face
from pybernetes.apiserver.stages.admit.dynamic.variables import admission_request
from pybernetes.apiserver.webhook_client import CallError

_GROUP: Final = "admission.k8s.io"
_VERSIONS: Final = ("v1", "v1beta1")
_REVIEWS: Final = tuple(f"{_GROUP}/{version}" for version in _VERSIONS)
_INVALID: Final = "received invalid webhook response"
_SCHEME: Final = "k8s.io/apiserver/pkg/util/webhook/client.go:71"
"""What upstream calls the scheme of its webhooks in messages."""
_BASE64: Final = frozenset(string.ascii_letters + string.digits + "+/")
_FIELDS: Final[dict[str, tuple[type, str]]] = {
    "uid": (str, "types.UID"), "allowed": (bool, "bool"), "status": (dict, "v1.Status"), "patch": (str, "[]uint8"),
    "patchType": (str, "v1.PatchType"), "auditAnnotations": (dict, "map[string]string"), "warnings": (list, "[]string"),
}  # fmt: skip
_STATUS: Final[dict[str, tuple[type, str]]] = {
    "code": (int, "int32"), "message": (str, "string"), "reason": (str, "v1.StatusReason"),
    "details": (dict, "v1.StatusDetails"),
}  # fmt: skip
"""The fields of a response and of its status, with their types here and in Go."""


class Response(msgspec.Struct, rename="camel"):
    """An AdmissionResponse."""

    uid: str = ""
    allowed: bool = False
    status: Tree | None = None
    patch: str | None = None
    patch_type: str | None = None
    audit_annotations: dict[str, str] | None = None
    warnings: list[str] | None = None


def new_review(face: Face, versions: Sequence[str]) -> Tree:
    """In the first version that the webhook reads and we write."""
    version = next((one for one in versions if one in _VERSIONS), _VERSIONS[0])
    request = {"uid": str(uuid.uuid4()), **admission_request(face), "object": face.object, "oldObject": face.old}
    return {"kind": "AdmissionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}


def read_response(answer: Any, review: Tree, *, mutates: bool) -> Response:
    """Raises CallError for what is no answer to the review."""
    _check_kind(answer, review)
    response = answer.get("response") if isinstance(answer, dict) else None
    if response is None:
        raise CallError(f"{_INVALID}: webhook response was absent")
    if wrong := _ill_typed(response):
        raise CallError(f"failed to call webhook: {wrong}")
    found = msgspec.convert({key: value for key, value in response.items() if value is not None}, Response)
    if review["apiVersion"] == f"{_GROUP}/v1":
        _check(answer, found, review, mutates=mutates)
    elif found.patch:
        found.patch_type = "JSONPatch"  # the only one there is, whatever was said
    return found


def _check_kind(answer: Any, review: Tree) -> None:
    """An answer without a kind is taken for one of the review's. Raises CallError."""
    if not isinstance(answer, dict):
        if answer is None:
            return
        words = f"json: cannot unmarshal {json_type(answer)} into Go value of type {TYPE_META}"
        raise CallError(f"failed to call webhook: couldn't get version/kind; json parse error: {words}")
    version, kind = answer.get("apiVersion") or review["apiVersion"], answer.get("kind") or "AdmissionReview"
    if (version, kind) == (review["apiVersion"], "AdmissionReview"):
        return
    if (kind == "AdmissionReview" and version in _REVIEWS) or (version, kind) == ("v1", "Status"):
        source, target = (f"{one.rpartition('/')[2]}" for one in (version, review["apiVersion"]))
        words = f"converting ({source}.{kind}) to ({target}.AdmissionReview): unknown conversion"
    else:
        words = f"no kind {quote(kind)} is registered for version {quote(version)} in scheme {quote(_SCHEME)}"
    raise CallError(f"failed to call webhook: {words}")


def _ill_typed(response: Any) -> str:
    """What Go's reader says of a response whose fields have other types; empty for one that has them."""
    if not isinstance(response, dict):
        return _mismatch(response, "AdmissionReview.response", "v1.AdmissionResponse")
    for field, (kind, type_) in _FIELDS.items():
        value = response.get(field)
        if value is not None and not isinstance(value, kind):
            return _mismatch(value, f"AdmissionResponse.response.{field}", type_)
    for field in ("warnings", "auditAnnotations"):
        held = response.get(field) or ()
        for value in held.values() if isinstance(held, dict) else held:
            if value is not None and not isinstance(value, str):
                return _mismatch(value, f"AdmissionResponse.response.{field}", "string")
    for field, (kind, type_) in _STATUS.items():
        value = (response.get("status") or {}).get(field)
        if value is not None and not isinstance(value, kind):
            return _mismatch(value, f"Status.response.status.{field}", type_)
    try:
        base64.b64decode(response.get("patch") or "", validate=True)
    except ValueError:
        at = next((i for i, char in enumerate(response["patch"]) if char not in _BASE64), len(response["patch"]))
        return f"illegal base64 data at input byte {at}"
    return ""


def _mismatch(value: Json, field: str, type_: str) -> str:
    return f"json: cannot unmarshal {json_type(value)} into Go struct field {field} of type {type_}"


def _check(answer: Tree, response: Response, review: Tree, *, mutates: bool) -> None:
    wanted = review["request"]["uid"]
    if response.uid != wanted:
        raise CallError(f"{_INVALID}: expected response.uid={quote(wanted)}, got {quote(response.uid)}")
    own, got = (f"{one.get('apiVersion') or ''}, Kind={one.get('kind') or ''}" for one in (review, answer))
    if own != got:
        raise CallError(f"{_INVALID}: expected webhook response of {own}, got {got}")
    if complaint := _patch_complaint(response, mutates=mutates):
        raise CallError(f"{_INVALID}: {complaint}")


def _patch_complaint(response: Response, *, mutates: bool) -> str:
    match bool(response.patch), response.patch_type is not None:
        case True, _ if not mutates:
            return "validating webhook may not return response.patch"
        case _, True if not mutates:
            return "validating webhook may not return response.patchType"
        case True, False:
            return "webhook returned response.patch but not response.patchType"
        case False, True:
            return "webhook returned response.patchType but not response.patch"
    return 'webhook returned invalid response.patchType of ""' if response.patch_type == "" else ""


def denial(name: str, status: Tree) -> StatusError:
    """What a client is told of a webhook's refusal."""
    denied = f"admission webhook {quote(name)} denied the request"
    if status.get("message"):
        message = f"{denied}: {status['message']}"
    elif status.get("reason"):
        message = f"{denied}: {status['reason']}"
    else:
        message = f"{denied} without explanation"
    code = status.get("code") or 0
    return StatusError(code if code >= 400 else 400, status.get("reason") or "", message, status.get("details"))


def operations_of(response: Response) -> list[Tree]:
    """The operations of a mutating webhook's JSON patch. Raises CallError for what is none."""
    if not response.patch:
        return []
    try:
        operations = parse_json(base64.b64decode(response.patch))
    except ValueError as error:
        raise CallError(f"received undecodable patch in webhook response: {error}") from error
    operations = [] if operations is None else operations
    wrong = operations if not isinstance(operations, list) else next(
        (one for one in operations if one is not None and not isinstance(one, dict)), None
    )  # fmt: skip
    if not isinstance(operations, list) or wrong is not None:
        type_ = "jsonpatch.Operation" if isinstance(operations, list) else "jsonpatch.Patch"
        words = f"json: cannot unmarshal {json_type(wrong)} into Go value of type {type_}"
        raise CallError(f"received undecodable patch in webhook response: {words}")
    if operations and response.patch_type != "JSONPatch":
        raise CallError(f"unsupported patch type {quote(response.patch_type or '')}")
    return [one or {} for one in operations]
