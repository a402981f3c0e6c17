"""The object in a request's body: parsed, checked against what the path says, typed and defaulted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec

from pybernetes.api import field as fields
from pybernetes.api.decode import DecodeError, decode, duplicate_fields, field_warnings, in_text_order
from pybernetes.api.defaults import default_definition
from pybernetes.api.errors import StatusError, bad_request, invalid, request_entity_too_large, timeout
from pybernetes.api.field import Path, go_json, quote
from pybernetes.api.json_text import refuse_depth
from pybernetes.api.protobuf import MessageError, NoMessageError, ProtobufError
from pybernetes.api.protobuf import decode_object as decode_object_message
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import resources, split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.registered import is_registered
from pybernetes.apiserver.http.message import BodyTooLargeError, DisconnectedError, Request, SlowBodyError
from pybernetes.apiserver.json_errors import TYPE_META, JSONError, parse_json
from pybernetes.apiserver.negotiate import JSON, PROTOBUF, content_type
from pybernetes.apiserver.registry.metadata import drop_repeated_owners
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.yaml import from_yaml, repeated_keys

SCHEME: Final = "pkg/api/legacyscheme/scheme.go:30"
"""What upstream calls its scheme in messages."""
YAML_ERRORS: Final = "yaml: unmarshal errors:\n"
"""Before what is told of a document line by line."""
_SUMMARY: Final = 30


async def read_body(request: Request) -> bytes:
    """The body. Raises StatusError 400, 413, 504."""
    try:
        return await request.body()
    except BodyTooLargeError as error:
        raise request_entity_too_large("limit is 3145728") from error
    except SlowBodyError as error:
        raise timeout("request did not complete within the allotted timeout") from error
    except DisconnectedError as error:
        raise bad_request("unexpected EOF") from error


async def decode_object(call: Call, options: WriteOptions) -> Tree:
    """The body as an object of the served version (or of the part's kind), typed, defaulted, its name checked."""
    body = await read_body(call.ctx.request)
    media = content_type(call.ctx.request.headers.get("content-type", ""))
    tree, complaints = parse_object(body, media, call.expected_api_version, call.expected_kind)
    custom = call.served.custom and not call.own_view
    check_type(
        tree, call.expected_api_version, call.expected_kind, custom=custom, body=body,
        report=lambda unknown, refuse: report_strictness(call.ctx, options, complaints(unknown), refuse),
    )  # fmt: skip
    made = typed_object(call, tree, options, complaints)
    check_identity(call, made)
    call.ctx.warn(drop_repeated_owners(made["metadata"], ""))
    return made


Complaints: TypeAlias = Callable[[list[str]], list[str]]
"""What a strict reader says of a body, given the fields in it that are unknown."""


class BodyError(ValueError):
    """A body that is no object; what it says of its type, if it says so much."""

    def __init__(self, why: str, api_version: str = "", kind: str = "") -> None:
        super().__init__(why)
        self.api_version = api_version
        self.kind = kind


def parse_object(body: bytes, media: str, api_version: str, kind: str) -> tuple[Tree, Complaints]:
    """The object in a body, which is to be of this kind, and what is wrong with its fields. Raises StatusError 400."""
    try:
        return parse_body(body, media, api_version, kind)
    except BodyError as error:
        if error.kind:
            version = split_api_version(error.api_version)[1]
            words = f"{error.kind} in version {quote(version)} cannot be handled as a {kind}: {error}"
            raise bad_request(words) from error
        raise _unrecognized(kind, str(error), body) from error


def parse_body(body: bytes, media: str, api_version: str, kind: str) -> tuple[Tree, Complaints]:
    """The same. Raises BodyError."""
    if media == PROTOBUF:
        return _parse_message(body, api_version, kind), field_warnings
    try:
        value = parse_json(body) if media == JSON else from_yaml(body)
    except JSONError as error:
        raise BodyError(f"couldn't get version/kind; json parse error: {error}") from error
    except ValueError as error:
        raise BodyError(str(error)) from error
    if value is None:
        value = {}
    if not isinstance(value, dict):
        words = f"json: cannot unmarshal {json_type(value)} into Go value of type {TYPE_META}"
        raise BodyError(f"couldn't get version/kind; json parse error: {words}")
    if media == JSON:
        # What our own encoder writes anew byte by byte has nothing twice: that is quicker than to look for it.
        is_plain = msgspec.json.encode(value) == body or not duplicate_fields(body)
        return value, field_warnings if is_plain else partial(_mixed_complaints, body)
    repeated = repeated_keys(body)
    return value, (lambda unknown: [repeated, *field_warnings(unknown)]) if repeated else field_warnings


def _parse_message(body: bytes, api_version: str, kind: str) -> Tree:
    try:
        tree = decode_object_message(body, api_version, kind)
        refuse_depth(tree)
    except NoMessageError as error:
        return {"apiVersion": error.api_version, "kind": error.kind}  # which the check of types refuses
    except MessageError as error:
        raise BodyError(str(error), error.api_version, error.kind) from error
    except (ProtobufError, ValueError) as error:
        raise BodyError(str(error)) from error
    return tree


def _mixed_complaints(body: bytes, unknown: list[str]) -> list[str]:
    return [
        f'duplicate field "{path}"' if is_repeated else f'unknown field "{path}"'
        for path, is_repeated in in_text_order(body, set(unknown))
        if not (is_repeated and path in unknown)
    ]


def _unrecognized(kind: str, why: str, body: bytes | None) -> StatusError:
    shown = "" if body is None else f" ({_summary(body)})"
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {why}{shown}")


def _summary(body: bytes) -> str:
    """How a body begins: as text where it may be JSON, else in hexadecimal digits."""
    begin = body[:_SUMMARY]
    shown = begin.decode(errors="replace") if body[:1] == b"{" else begin.hex()
    return (shown + " ..." if len(body) > _SUMMARY else shown) or "<empty>"


def json_type(value: object) -> str:
    """What Go's decoder calls the type of a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"


Report: TypeAlias = Callable[[list[str], Callable[[str], StatusError]], None]
"""Tells the client of unknown fields, or raises what the function makes of the words for them."""


def check_type(
    tree: Tree,
    api_version: str,
    kind: str,
    *,
    custom: bool,
    body: bytes | None = None,
    report: Report | None = None,
) -> None:
    """apiVersion and kind must be the path's; absent ones are. Raises StatusError 400.

    What is of another version was read before that is noticed: `report` tells of its fields.
    """
    if custom:
        _check_told(tree, api_version, kind, body)
    given_version, given_kind = _told(tree.get("apiVersion"), api_version), _told(tree.get("kind"), kind)
    if given_version == api_version and given_kind == kind:
        return
    if words := _unreadable(given_version, given_kind):
        raise _unrecognized(kind, words, body)
    _, version = split_api_version(given_version)
    if custom and given_version == api_version:
        wrong = fields.invalid(Path("kind"), given_kind, f"must be {kind}")
        metadata = tree.get("metadata")
        name = str(metadata.get("name") or "") if isinstance(metadata, dict) else ""
        raise invalid(split_api_version(api_version)[0], given_kind, name, [wrong])
    refusal = f"{given_kind} in version {quote(version)} cannot be handled as a {kind}: "
    if not custom and (unknown := _unregistered(given_version, given_kind)):
        raise bad_request(refusal + unknown)
    is_same = _internal(given_version, given_kind) == _internal(api_version, kind)
    if is_same and not custom and report is not None:
        report(_unknown_fields(tree, given_version, api_version, kind), lambda why: bad_request(refusal + why))
    if custom or is_same:
        raise bad_request(
            f"the API version in the data ({given_version}) does not match the expected API version ({api_version})"
        )
    try:
        decode(schema_of(given_version, given_kind), tree)
    except KeyError:
        pass  # not served: there is no schema of it
    except DecodeError as error:
        raise bad_request(f"{refusal}{error}") from error
    raise bad_request(refusal + _unconvertible(given_version, given_kind, api_version, kind))


def _unknown_fields(tree: Tree, given_version: str, api_version: str, kind: str) -> list[str]:
    """The fields that the object's own version does not know; of a version without a schema, the one that is served."""
    try:
        schema = schema_of(given_version, kind)
    except KeyError:
        schema = schema_of(api_version, kind)
    try:
        return decode(schema, tree).unknown
    except DecodeError:
        return []


def _check_told(tree: Tree, api_version: str, kind: str, body: bytes | None) -> None:
    """Objects without a type of their own have to say what they are. Raises StatusError 400."""
    if not tree.get("kind"):
        shown = go_json(tree) if body is None or body[:1] not in b"{n" else body.decode(errors="replace")
        raise _unrecognized(kind, f"Object 'Kind' is missing in '{shown}'", body)
    if not tree.get("apiVersion"):
        raise bad_request(f"the API version in the data () does not match the expected API version ({api_version})")


def _told(value: Any, otherwise: str) -> Any:
    """What an object says of its type, which may be anything; nothing is what is expected."""
    return otherwise if value is None or value == "" else value


def patched_type_problem(tree: Tree, api_version: str, kind: str) -> str:
    """Why what a patch made of a built-in object is none of its kind; "" if it is, in whatever version."""
    given_version, given_kind = _told(tree.get("apiVersion"), api_version), _told(tree.get("kind"), kind)
    if given_version == api_version and given_kind == kind:
        return ""
    if words := _unreadable(given_version, given_kind):
        return words
    if unknown := _unregistered(given_version, given_kind):
        return unknown
    if _internal(given_version, given_kind) == _internal(api_version, kind):
        return ""
    return _unconvertible(given_version, given_kind, api_version, kind)


def _unreadable(api_version: object, kind: object) -> str:
    for name, value in (("apiVersion", api_version), ("kind", kind)):
        if not isinstance(value, str):
            words = f"json: cannot unmarshal {json_type(value)} into Go struct field .{name} of type string"
            return f"couldn't get version/kind; json parse error: {words}"
    return f"unexpected GroupVersion string: {api_version}" if str(api_version).count("/") > 1 else ""


def _unregistered(api_version: str, kind: str) -> str:
    if is_registered(api_version, kind):
        return ""
    return f"no kind {quote(kind)} is registered for version {quote(api_version)} in scheme {quote(SCHEME)}"


def _unconvertible(given_version: str, given_kind: str, api_version: str, kind: str) -> str:
    version = split_api_version(given_version)[1]
    return f"converting ({version}.{given_kind}) to ({_internal(api_version, kind)}): unknown conversion"


def _refuse_untyped(tree: Tree, api_version: str, kind: str, body: bytes) -> None:
    """What is to be a custom resource has to say so itself. Raises StatusError 400."""
    if not tree.get("kind"):
        raise _unrecognized(kind, f"Object 'Kind' is missing in '{body.decode(errors='replace')}'", body)
    if not tree.get("apiVersion"):
        raise bad_request(f"the API version in the data () does not match the expected API version ({api_version})")


def _internal(api_version: str, kind: str) -> str:
    """What upstream calls the form of a kind that all its versions have in common."""
    group = split_api_version(api_version)[0].partition(".")[0]
    if group == "extensions":  # where these kinds were before they got groups of their own
        group = next((one.group.partition(".")[0] for one in resources() if one.kind == kind), group)
    return f"{'core' if group in ('', 'events') else group}.{kind}"


def typed_object(call: Call, tree: Tree, options: WriteOptions, complaints: Complaints) -> Tree:
    """The tree with types checked, unknown fields reported and dropped, and defaults filled in."""
    try:
        made, unknown = as_typed(call, tree)
    except DecodeError as error:
        raise cannot_handle(call, str(error)) from error
    # Of a custom resource, what stands twice is found before its schema is looked at.
    found = complaints([]) + field_warnings(unknown) if call.served.custom else complaints(unknown)
    report_strictness(call.ctx, options, found, lambda text: cannot_handle(call, text))
    return made


def as_typed(call: Call, tree: Tree, known: Tree | None = None, *, applied: bool = False) -> tuple[Tree, list[str]]:
    """The tree as the schema of what travels here makes it, and the fields that were dropped. Raises DecodeError.

    Of `known`, a typed object of a built-in kind, the tree may have parts: the result takes them over. Of a custom
    resource that was `applied` the nulls stay.
    """
    schema = call.schema
    if call.served.shape is not None and not call.own_view:
        if not isinstance(metadata := tree.get("metadata"), dict | None):
            raise DecodeError(f"json: cannot unmarshal {json_type(metadata)} into Go value of type v1.ObjectMeta")
        made, unknown = call.served.shape.prepare(tree, applied=applied)
    elif schema is not None:
        decoded = decode(schema, tree, known)
        made, unknown = decoded.tree, decoded.unknown
        call.ctx.has_empty |= decoded.has_empty
        default_definition(schema, made, known)
    else:
        return tree, []
    made["apiVersion"], made["kind"] = call.expected_api_version, call.expected_kind
    keep_managed_fields_reset(tree, made)
    return made, unknown


def keep_managed_fields_reset(sent: Tree, made: Tree) -> None:
    """An empty list of managedFields says that nobody is to own anything: decoding drops it, the owners' part asks."""
    metadata = sent.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") in ([], [{}]):
        made["metadata"]["managedFields"] = []


def cannot_handle(call: Call, why: str) -> StatusError:
    """The words for an object that does not decode."""
    _, version = split_api_version(call.expected_api_version)
    kind = call.expected_kind
    return bad_request(f"{kind} in version {quote(version)} cannot be handled as a {kind}: {why}")


def report_strictness(
    ctx: RequestContext, options: WriteOptions, complaints: list[str], refuse: Callable[[str], StatusError]
) -> None:
    """Say what was dropped, as fieldValidation asks: not at all, by warnings, or by an error."""
    if options.field_validation == "Ignore" or not complaints:
        return
    if options.field_validation == "Strict":
        raise refuse("strict decoding error: " + ", ".join(complaints))
    for text in complaints:
        _, told_by_line, lines = text.partition(YAML_ERRORS)
        for one in lines.split("\n") if told_by_line else [text]:
            ctx.warn(one.strip())


def check_identity(call: Call, obj: Tree) -> None:
    """Name and namespace must be the path's. Raises StatusError 400."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        metadata = obj["metadata"] = {}
    if call.namespace:
        if metadata.get("namespace") not in (None, "", call.namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = call.namespace
    else:
        metadata.pop("namespace", None)
    if not call.name:
        return
    name = metadata.get("name")
    if not name:
        raise bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
        )
    if name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")
