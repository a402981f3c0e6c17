"""The paths of a group and version: which operations are where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pybernetes.api.scheme import Resource, groups
from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi.definitions import META
from pybernetes.apiserver.openapi.operations import Described, group_tag, group_title, reference
from pybernetes.apiserver.openapi.parameters import of_path, shared

_COLLECTION: Final = ("list", "create", "deletecollection")
_ITEM: Final = ("get", "update", "patch", "delete")
_FORMATS: Final = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_PLAIN: Final = {
    "version": ("get the version information for this server", "getCodeVersion", "version", "io.k8s.apimachinery.pkg.version.Info", ("application/json",)),
    ".well-known/openid-configuration": ("get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'", "getServiceAccountIssuerOpenIDConfiguration", "WellKnown", "", ("application/json",)),
    "openid/v1/jwks": ("get service account issuer OpenID JSON Web Key Set (contains public token verification keys)", "getServiceAccountIssuerOpenIDKeyset", "openid", "", ("application/jwk-set+json",)),
    "api": ("get available API versions", "getCoreAPIVersions", "core", META + "APIVersions", _FORMATS),
    "apis": ("get available API versions", "getAPIVersions", "apis", META + "APIGroupList", _FORMATS),
}  # fmt: skip
PLAIN_PATHS: Final = (".well-known/openid-configuration", "openid/v1/jwks", "version")


def plain_path(key: str) -> Tree:
    """What is at a path above versions: `version`, `api`, `apis/apps`."""
    if key in _PLAIN:
        return {"get": _plain(*_PLAIN[key])}
    group = key.removeprefix("apis/")
    name = f"get{group_title(group, '')}APIGroup"
    return {
        "get": _plain("get information of a group", name, group_tag(group, "").rstrip("_"), META + "APIGroup", _FORMATS)
    }


def _plain(words: str, name: str, tag: str, answer: str, contents: tuple[str, ...]) -> Tree:
    schema = {"schema": reference(answer) if answer else {"type": "string"}}
    answered = {"description": "OK", "content": dict.fromkeys(contents, schema)}
    return {
        "description": words, "operationId": name, "tags": [tag],
        "responses": {"200": answered, "401": {"description": "Unauthorized"}},
    }  # fmt: skip


def paths_of(root: str, resources: Iterable[Resource]) -> Iterator[tuple[str, Tree]]:
    """Every path below `root` ("/apis/apps/v1") with its operations in OpenAPI v3's form."""
    found = list(resources)
    if not found:
        return
    group, version = found[0].group, found[0].version
    if group in groups():  # who serves definitions does not describe the lists of their resources
        name, answer = f"get{group_title(group, version)}APIResources", META + "APIResourceList"
        yield root + "/", {"get": _plain("get available resources", name, group_tag(group, version), answer, _FORMATS)}
    for resource in found:
        for path, kind, item in _resource_paths(root, Described(resource)):
            yield path, shared(item, of_path(path, kind))


def _resource_paths(root: str, described: Described) -> Iterator[tuple[str, str, Tree]]:
    """Paths, the kind of what they name, and their operations."""
    resource = described.resource
    kind = resource.kind
    scope = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    collection, item = f"{scope}/{resource.plural}", f"{scope}/{resource.plural}/{{name}}"
    if found := dict(described.operation(verb) for verb in _COLLECTION if verb in resource.verbs):
        yield collection, kind, found
    if resource.namespaced and "list" in resource.verbs:
        yield f"{root}/{resource.plural}", kind, dict([described.operation("list", everywhere=True)])
    if found := dict(described.operation(verb) for verb in _ITEM if verb in resource.verbs):
        yield item, kind, found
    for sub in resource.subresources.values():
        yield f"{item}/{sub.name}", sub.kind, described.part(sub)
        if sub.name == "proxy":
            yield f"{item}/proxy/{{path}}", sub.kind, described.part(sub, below=True)
    if "watch" in resource.verbs and not described.is_custom:
        yield from _watch_paths(root, described)


def _watch_paths(root: str, described: Described) -> Iterator[tuple[str, str, Tree]]:
    """The deprecated paths that upstream still lists."""
    resource = described.resource
    kind, scope = resource.kind, "Namespaced" if resource.namespaced else ""
    collection = f"{root}/watch/{resource.plural}"
    called = f"{kind}ListForAllNamespaces" if scope else f"{kind}List"
    yield collection, kind, {"get": described.watching(called)}
    if scope:
        collection = f"{root}/watch/namespaces/{{namespace}}/{resource.plural}"
        yield collection, kind, {"get": described.watching(f"{scope}{kind}List")}
    yield f"{collection}/{{name}}", kind, {"get": described.watching(f"{scope}{kind}", single=True)}
