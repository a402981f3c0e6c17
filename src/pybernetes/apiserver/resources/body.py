"""The bodies that actions take, and the answers that they give."""

from __future__ import annotations

from typing import Final

from pybernetes.api import errors
from pybernetes.api.decode import DecodeError, decode
from pybernetes.api.defaults import default_definition
from pybernetes.api.errors import StatusError
from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.encoders import go_name, no_list
from pybernetes.apiserver.handlers.body import parse_object, read_body
from pybernetes.apiserver.handlers.call import tree_answer
from pybernetes.apiserver.handlers.decode import report_strictness
from pybernetes.apiserver.handlers.kinds import check_type
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.negotiate import PARTIAL_LIST, PARTIALS, Format, content_type, negotiate
from pybernetes.apiserver.registry.metadata import drop_repeated_owners
from pybernetes.apiserver.registry.options import write_options
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.apiserver.resources.timestamps import now
from pybernetes.apiserver.table.views import converted

OLD_EVICTION: Final = "policy/v1beta1", "Eviction"
"""It is read as the one that is served."""

_SERVERS_OWN: Final = ("creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
"""Of metadata: what a client cannot say, and may send."""


async def read_object(ctx: RequestContext, target: Target, api_version: str, kind: str) -> Tree:
    """The body as an object of this kind, typed, defaulted and in the namespace of the path.

    Raises StatusError 400, 406, 413, 415, 422.
    """
    _format(ctx)  # what could not be answered is not read
    media = content_type(ctx.request.headers.get("content-type", ""))
    options = write_options(ctx.request, "CreateOptions")
    body = await read_body(ctx.request)
    schema = schema_of(api_version, kind)
    tree, complaints = parse_object(body, media, api_version, kind, schema)
    if (tree.get("apiVersion"), tree.get("kind")) != OLD_EVICTION:
        check_type(
            tree, api_version, kind, custom=False, body=body,
            report=lambda unknown, refuse: report_strictness(ctx, options, complaints(unknown), refuse),
        )  # fmt: skip
    try:
        decoded = decode(schema, tree)
    except DecodeError as error:
        raise _cannot_handle(api_version, kind, str(error)) from error
    report_strictness(ctx, options, complaints(decoded.unknown), lambda why: _cannot_handle(api_version, kind, why))
    made = decoded.tree
    default_definition(schema, made)
    made["apiVersion"], made["kind"] = api_version, kind
    for name in _SERVERS_OWN:
        made["metadata"].pop(name, None)
    _keep_in_namespace(made["metadata"], target.namespace)
    ctx.warn(drop_repeated_owners(made["metadata"], ""))
    return made


def _keep_in_namespace(metadata: Tree, namespace: str) -> None:
    """The object is in the namespace of the path, or in none with it. Raises StatusError 400."""
    if namespace and metadata.get("namespace") not in (None, "", namespace):
        raise errors.bad_request(errors.OTHER_NAMESPACE)
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)


def check_name(obj: Tree, kind: str, name: str) -> None:
    """The object must name what the path does. Raises StatusError 400."""
    if name and obj["metadata"].get("name") != name:
        raise errors.bad_request(f"name in URL does not match name in {kind} object")


def _cannot_handle(api_version: str, kind: str, why: str) -> StatusError:
    version = split_api_version(api_version)[1]
    return errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


def note_manager(ctx: RequestContext, obj: Tree, subresource: str = "") -> None:
    """Put the client into the object's managedFields, as the owner of all that it sent."""
    api_version, kind = obj["apiVersion"], obj["kind"]
    options = write_options(ctx.request, "CreateOptions")
    manager = FieldManager(schema_of(api_version, kind), api_version, kind, subresource)
    made = manager.update(None, obj, options.manager, now(ctx))
    obj["metadata"] = made["metadata"]


async def admit_action(ctx: RequestContext, target: Target, made: Tree) -> Attributes | None:
    """Let admission change the object that an action is told with, as a creation of it.

    What is returned is for it to be seen once more when it is known to be valid; None if nobody wants to.
    Raises StatusError.
    """
    admission, part = ctx.services.admission, target.subresource
    if not admission.handles("CREATE", target.resource, part):
        return None
    note_manager(ctx, made, part)
    options = write_options(ctx.request, "CreateOptions")
    attributes = Attributes(
        ctx, "CREATE", target.resource, target.namespace, target.name or made["metadata"].get("name", ""), part,
        made, options=options.given, dry_run=options.dry_run,
    )  # fmt: skip
    await admission.mutate(attributes)
    return attributes


async def see_action(ctx: RequestContext, attributes: Attributes | None) -> None:
    """Let admission see the object of an action once more. Raises StatusError."""
    if attributes is not None:
        await ctx.services.admission.validate(attributes)


def _format(ctx: RequestContext) -> Format:
    """What the client wants the answer in. Raises StatusError 406."""
    accept = ctx.request.headers.get("accept", "")
    return negotiate(accept, kinds=PARTIALS, protobuf=True, pretty=ctx.request.is_pretty)


def answer(ctx: RequestContext, status: int, tree: Tree) -> Response:
    """An object that is not stored, in the format that the client wants. Raises StatusError 406."""
    wanted = _format(ctx)
    if wanted.kind == PARTIAL_LIST:
        raise no_list(wanted.kind, go_name(split_api_version(tree["apiVersion"])[0], tree["kind"]))
    return tree_answer(status, converted(tree, wanted, "", ctx.services.clock.now()), wanted)


def success(ctx: RequestContext, code: int = 201) -> Response:
    """The Status of an action that has nothing else to tell."""
    tree = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}
    wanted = _format(ctx)
    if wanted.kind == PARTIAL_LIST:
        raise no_list(wanted.kind, "v1.Status")
    return tree_answer(code, tree, wanted)


def is_dry_run(ctx: RequestContext) -> bool:
    return "All" in ctx.request.query.get("dryRun", ())
