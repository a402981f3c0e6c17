"""DELETE of one object."""

from __future__ import annotations

from pybernetes.api.decode import DecodeError, decode, json_type
from pybernetes.api.errors import bad_request
from pybernetes.api.field import quote
from pybernetes.api.schema import schema_for
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item, stored_form
from pybernetes.apiserver.handlers.body import BodyError, parse_body, read_body
from pybernetes.apiserver.handlers.call import Call, tree_answer
from pybernetes.apiserver.handlers.kinds import meant_version, missing
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.negotiate import content_type
from pybernetes.apiserver.registry.deletion import delete as delete_object
from pybernetes.apiserver.registry.options import DeleteOptions, delete_options, delete_query

_SCHEME = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"
"""What upstream calls the scheme of options in messages."""
_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


async def delete(call: Call) -> Answer:
    """200 with a Status, or with the object where it is not gone yet (or the kind answers so)."""
    wanted = call.format()
    options = await read_options(call)
    obj, gone = await delete_object(call.ctx, call.served.store, call.namespace, call.name, options)
    code = 202 if not gone and options.orphan_dependents is False else 200
    if gone and not call.served.strategy.returns_deleted:
        return tree_answer(code, _success(call, obj), wanted)
    return call.answer(code, item_of(call, obj), wanted)


async def read_options(call: Call) -> DeleteOptions:
    """DeleteOptions of the body, or of the query if there is none. Raises StatusError."""
    body = await read_body(call.ctx.request)
    if not body:
        return delete_options(delete_query(call.ctx.request))
    media = content_type(call.ctx.request.headers.get("content-type", ""))
    try:
        tree, _ = parse_body(body, media, "meta.k8s.io/v1", "DeleteOptions", schema_for(_OPTIONS))
    except BodyError as error:
        raise bad_request(str(error)) from error
    for name in ("apiVersion", "kind"):
        if not isinstance(value := tree.get(name) or "", str):
            words = f"json: cannot unmarshal {json_type(value)} into Go struct field .{name} of type string"
            raise bad_request(f"couldn't get version/kind; json parse error: {words}")
    kind, version = tree.get("kind") or "DeleteOptions", tree.get("apiVersion") or "meta.k8s.io/v1"
    if version.count("/") > 1:
        raise bad_request(f"unexpected GroupVersion string: {version}")
    if not (version := meant_version(version, "meta.k8s.io/v1")):
        raise bad_request(missing("apiVersion", tree, body))
    if kind != "DeleteOptions":
        raise bad_request(f"no kind {quote(str(kind))} is registered for version {quote(str(version))} in scheme {quote(_SCHEME)}")  # fmt: skip
    try:
        decoded = decode(schema_for(_OPTIONS), tree)
    except DecodeError as error:
        raise bad_request(str(error)) from error
    return delete_options(decoded.tree)


def item_of(call: Call, obj: Tree) -> Item:
    """A tree with resourceVersion as an item that the encoders take."""
    metadata = obj["metadata"]
    revision = int(metadata.get("resourceVersion", 0))
    return Item(metadata["name"], stored_form(obj, keep_type=call.served.custom), revision, 0)


def _success(call: Call, obj: Tree) -> Tree:
    resource = call.served.resource
    details = {
        "name": call.name,
        "group": resource.group,
        "kind": resource.plural,
        "uid": obj["metadata"].get("uid", ""),
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
