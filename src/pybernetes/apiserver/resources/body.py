"""The bodies that actions take, and the answers that they give."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.decode import DecodeError, decode
from pybernetes.api.defaults import default_definition
from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.schema import Schema, schema_of
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.encoders import go_name, no_list
from pybernetes.apiserver.handlers.call import tree_answer
from pybernetes.apiserver.handlers.decode import json_type, parse_object, read_body
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.negotiate import PARTIAL_LIST, PARTIALS, content_type, negotiate
from pybernetes.apiserver.registry.options import write_options
from pybernetes.apiserver.resources.timestamps import now
from pybernetes.apiserver.table.views import converted


async def read_object(ctx: RequestContext, api_version: str, kind: str) -> Tree:
    """The body as an object of this kind, typed and defaulted; other versions of its group are taken too.

    Raises StatusError 400, 413, 415.
    """
    body = await read_body(ctx.request)
    media = content_type(ctx.request.headers.get("content-type", ""))
    tree, _ = parse_object(body, media, kind)
    _check_type(tree, api_version, kind)
    schema = schema_of(api_version, kind)
    made = _decoded(schema, tree, api_version, kind)
    default_definition(schema, made)
    made["apiVersion"], made["kind"] = api_version, kind
    return made


def _check_type(tree: Tree, api_version: str, kind: str) -> None:
    """The kind must be the one that is wanted, in any version of its group; absent ones are it."""
    given_version, given_kind = tree.get("apiVersion") or api_version, tree.get("kind") or kind
    for name, value in (("apiVersion", given_version), ("kind", given_kind)):
        if not isinstance(value, str):
            words = f"json: cannot unmarshal {json_type(value)} into Go struct field .{name} of type string"
            raise errors.bad_request(f"couldn't get version/kind; json parse error: {words}")
    if given_kind != kind or split_api_version(given_version)[0] != split_api_version(api_version)[0]:
        given = f"{given_version}, Kind={given_kind}"
        raise errors.bad_request(f"the object provided is unrecognized (must be of type {kind}): {given} is given")


def _decoded(schema: Schema, tree: Tree, api_version: str, kind: str) -> Tree:
    try:
        made: Tree = decode(schema, tree).tree
    except DecodeError as error:
        version = split_api_version(api_version)[1]
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from error
    return made


def note_manager(ctx: RequestContext, obj: Tree, subresource: str = "") -> None:
    """Put the client into the object's managedFields, as the owner of all that it sent."""
    api_version, kind = obj["apiVersion"], obj["kind"]
    options = write_options(ctx.request, "CreateOptions")
    manager = FieldManager(schema_of(api_version, kind), api_version, kind, subresource)
    made = manager.update(None, obj, options.manager, now(ctx))
    obj["metadata"] = made["metadata"]


def answer(ctx: RequestContext, status: int, tree: Tree) -> Response:
    """An object that is not stored, in the format that the client wants. Raises StatusError 406."""
    wanted = negotiate(ctx.request.headers.get("accept", ""), kinds=PARTIALS, protobuf=True)
    if wanted.kind == PARTIAL_LIST:
        raise no_list(wanted.kind, go_name(split_api_version(tree["apiVersion"])[0], tree["kind"]))
    return tree_answer(status, converted(tree, wanted, "", ctx.services.clock.now()), wanted)


def success(ctx: RequestContext, code: int = 201) -> Response:
    """The Status of an action that has nothing else to tell."""
    tree = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}
    return answer(ctx, code, tree)


def is_dry_run(ctx: RequestContext) -> bool:
    return "All" in ctx.request.query.get("dryRun", ())
