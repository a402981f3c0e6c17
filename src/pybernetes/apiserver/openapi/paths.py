"""The paths of a group and version: which operations are where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pybernetes.api.scheme import Resource, Subresource, by_plural
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.openapi.definitions import META, definition_of

_METHODS = {
    "get": ("get", "get"),
    "list": ("get", "list"),
    "create": ("post", "post"),
    "update": ("put", "put"),
    "patch": ("patch", "patch"),
    "delete": ("delete", "delete"),
    "deletecollection": ("delete", "deletecollection"),
}
_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC = "application/strategic-merge-patch+json"
_COLLECTION = ("list", "create", "deletecollection")
_ITEM = ("get", "update", "patch", "delete")


def paths_of(root: str, resources: Iterable[Resource]) -> Iterator[tuple[str, Tree]]:
    """Every path below `root` ("/apis/apps/v1") with its operations in OpenAPI v3's form."""
    yield root + "/", {"get": _operation("get", META + "APIResourceList", {})}
    for resource in resources:
        yield from _resource_paths(root, resource)


def _resource_paths(root: str, resource: Resource) -> Iterator[tuple[str, Tree]]:
    scope = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    collection, item = f"{scope}/{resource.plural}", f"{scope}/{resource.plural}/{{name}}"
    if found := _operations(resource, _COLLECTION):
        yield collection, found
    if resource.namespaced and "list" in resource.verbs:
        yield f"{root}/{resource.plural}", _operations(resource, ("list",))
    if found := _operations(resource, _ITEM):
        yield item, found
    for sub in resource.subresources.values():
        yield f"{item}/{sub.name}", _sub_operations(sub, _patches(resource))
        if sub.name == "proxy":
            yield f"{item}/proxy/{{path}}", _sub_operations(sub, _patches(resource))
    if "watch" in resource.verbs:
        yield from _watch_paths(root, resource)


def _watch_paths(root: str, resource: Resource) -> Iterator[tuple[str, Tree]]:
    """The deprecated paths that upstream still lists."""
    watch = {"get": _operation("watchlist", META + "WatchEvent", _gvk(resource))}
    yield f"{root}/watch/{resource.plural}", watch
    scope = f"{root}/watch/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else ""
    if scope:
        yield scope, watch
    yield f"{scope or f'{root}/watch/{resource.plural}'}/{{name}}", watch


def _patches(resource: Resource) -> tuple[str, ...]:
    """The patches that a resource takes. kubectl asks here; custom resources have no strategic merge."""
    is_custom = by_plural(resource.group, resource.version, resource.plural) is None
    return _PATCHES if is_custom else (*_PATCHES, _STRATEGIC)


def _gvk(resource: Resource) -> Tree:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _operations(resource: Resource, verbs: Iterable[str]) -> Tree:
    found: Tree = {}
    for verb in verbs:
        if verb in resource.verbs:
            method, action = _METHODS[verb]
            kind = resource.list_kind if verb == "list" else resource.kind
            answer = META + "Status" if verb.startswith("delete") else definition_of(resource.api_version, kind)
            body = definition_of(resource.api_version, resource.kind) if verb in ("create", "update") else ""
            found[method] = _operation(
                action, answer, _gvk(resource), body, _patches(resource) if verb == "patch" else ()
            )
    return found


def _sub_operations(sub: Subresource, patches: tuple[str, ...]) -> Tree:
    found: Tree = {}
    gvk = {"group": sub.group, "kind": sub.kind, "version": sub.version}
    definition = definition_of(sub.api_version, sub.kind)
    for verb in sub.verbs:
        method, action = _METHODS[verb]
        connects = sub.kind.endswith("Options")
        body = definition if verb in ("create", "update") and not connects else ""
        found[method] = _operation("connect" if connects else action, "" if connects else definition, gvk, body, patches if verb == "patch" else ())  # fmt: skip
    return found


def _operation(action: str, answer: str, gvk: Tree, body: str = "", patches: tuple[str, ...] = ()) -> Tree:
    made: Tree = {"responses": {"200": {"description": "OK"}}, "x-kubernetes-action": action}
    if answer:
        made["responses"]["200"]["content"] = {"application/json": {"schema": _reference(answer)}}
    if gvk:
        made["x-kubernetes-group-version-kind"] = gvk
    if body:
        made["requestBody"] = {"content": {"*/*": {"schema": _reference(body)}}}
    if patches:
        made["requestBody"] = {"content": {media: {"schema": _reference(META + "Patch")} for media in patches}}
    if action in ("post", "put", "patch") or patches:
        made["parameters"] = [_query("dryRun"), _query("fieldManager"), _query("fieldValidation")]
    if patches:
        made["parameters"].append(_query("force", "boolean"))
    return made


def _query(name: str, kind: str = "string") -> Tree:
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _reference(definition: str) -> Tree:
    return {"$ref": "#/components/schemas/" + definition}
