"""The paths of a group and version: which operations are where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi.definitions import META
from pybernetes.apiserver.openapi.operations import (  # fmt: skip
    Described,
    group_tag,
    group_title,
    path_parameters,
    reference,
)

_COLLECTION = ("list", "create", "deletecollection")
_ITEM = ("get", "update", "patch", "delete")


def paths_of(root: str, resources: Iterable[Resource]) -> Iterator[tuple[str, Tree]]:
    """Every path below `root` ("/apis/apps/v1") with its operations in OpenAPI v3's form."""
    found = list(resources)
    if not found:
        return
    yield root + "/", {"get": _resource_list(found[0].group, found[0].version)}
    for resource in found:
        for path, item in _resource_paths(root, Described(resource)):
            yield path, item | {"parameters": path_parameters(path, resource.kind)}


def _resource_list(group: str, version: str) -> Tree:
    schema = {"schema": reference(META + "APIResourceList")}
    answer = {"description": "OK", "content": {"application/json": schema}}
    return {
        "description": "get available resources", "operationId": f"get{group_title(group, version)}APIResources",
        "tags": [group_tag(group, version)], "responses": {"200": answer, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": "get",
    }  # fmt: skip


def _resource_paths(root: str, described: Described) -> Iterator[tuple[str, Tree]]:
    resource = described.resource
    scope = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    collection, item = f"{scope}/{resource.plural}", f"{scope}/{resource.plural}/{{name}}"
    if found := dict(described.operation(verb) for verb in _COLLECTION if verb in resource.verbs):
        yield collection, found
    if resource.namespaced and "list" in resource.verbs:
        yield f"{root}/{resource.plural}", dict([described.operation("list", everywhere=True)])
    if found := dict(described.operation(verb) for verb in _ITEM if verb in resource.verbs):
        yield item, found
    for sub in resource.subresources.values():
        operations = dict(described.part(sub, verb) for verb in sub.verbs)
        yield f"{item}/{sub.name}", operations
        if sub.name == "proxy":
            yield f"{item}/proxy/{{path}}", operations
    if "watch" in resource.verbs and not described.is_custom:
        yield from _watch_paths(root, described)


def _watch_paths(root: str, described: Described) -> Iterator[tuple[str, Tree]]:
    """The deprecated paths that upstream still lists."""
    resource = described.resource
    kind, scope = resource.kind, "Namespaced" if resource.namespaced else ""
    collection = f"{root}/watch/{resource.plural}"
    called = f"{kind}ListForAllNamespaces" if scope else f"{kind}List"
    yield collection, {"get": described.watching(called)}
    if scope:
        collection = f"{root}/watch/namespaces/{{namespace}}/{resource.plural}"
        yield collection, {"get": described.watching(f"{scope}{kind}List")}
    yield f"{collection}/{{name}}", {"get": described.watching(f"{scope}{kind}")}
