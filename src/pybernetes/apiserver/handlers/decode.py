"""The object in a request's body: parsed, checked against what the path says, typed and defaulted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pybernetes.api.decode import DecodeError, decode, field_warnings, json_type
from pybernetes.api.defaults import default_definition
from pybernetes.api.errors import StatusError, bad_request
from pybernetes.api.field import quote
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.handlers.body import Complaints, parse_object, read_body
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.kinds import check_type
from pybernetes.apiserver.negotiate import content_type
from pybernetes.apiserver.registry.metadata import drop_repeated_owners
from pybernetes.apiserver.registry.options import WriteOptions

YAML_ERRORS: Final = "yaml: unmarshal errors:\n"
"""Before what is told of a document line by line."""


async def decode_object(call: Call, options: WriteOptions) -> Tree:
    """The body as an object of the served version (or of the part's kind), typed, defaulted, its name checked."""
    body = await read_body(call.ctx.request)
    media = content_type(call.ctx.request.headers.get("content-type", ""))
    custom = call.served.custom and not call.own_view
    schema = None if custom else call.schema
    tree, complaints = parse_object(body, media, call.expected_api_version, call.expected_kind, schema)
    check_type(
        tree, call.expected_api_version, call.expected_kind, custom=custom, body=body,
        report=lambda unknown, refuse: report_strictness(call.ctx, options, _told(call, complaints, unknown), refuse),
    )  # fmt: skip
    made = typed_object(call, tree, options, complaints)
    check_identity(call, made)
    call.ctx.warn(drop_repeated_owners(made["metadata"], ""))
    return made


def typed_object(call: Call, tree: Tree, options: WriteOptions, complaints: Complaints) -> Tree:
    """The tree with types checked, unknown fields reported and dropped, and defaults filled in."""
    try:
        made, unknown = as_typed(call, tree)
    except DecodeError as error:
        raise cannot_handle(call, str(error)) from error
    report_strictness(call.ctx, options, _told(call, complaints, unknown), lambda text: cannot_handle(call, text))
    return made


def _told(call: Call, complaints: Complaints, unknown: list[str]) -> list[str]:
    """All complaints: of a custom resource, what stands twice is found before its schema is looked at."""
    return complaints([]) + field_warnings(unknown) if call.served.custom else complaints(unknown)


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
        call.ctx.sent = tree
        default_definition(schema, made, known)
    else:
        return tree, []
    made["apiVersion"] = call.expected_api_version
    if not call.served.custom or call.own_view or not made.get("kind"):
        made["kind"] = call.expected_kind  # of a custom resource a wrong one is told by its validation
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
