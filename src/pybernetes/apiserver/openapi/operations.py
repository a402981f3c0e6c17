"""The operations on a resource as OpenAPI describes them: names, words, parameters, contents."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from pybernetes.api.scheme import Resource, Subresource, groups
from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi.custom import definition_name
from pybernetes.apiserver.openapi.definitions import META, definition_of

_METHODS: Final = {
    "get": ("get", "get"), "list": ("get", "list"), "watch": ("get", "watch"), "create": ("post", "post"),
    "update": ("put", "put"), "patch": ("patch", "patch"), "delete": ("delete", "delete"),
    "deletecollection": ("delete", "deletecollection"),
}  # fmt: skip
_CALLED: Final = {
    "get": "read", "list": "list", "create": "create", "update": "replace", "patch": "patch", "delete": "delete",
    "deletecollection": "delete", "watch": "watch",
}  # fmt: skip
_CODES: Final = {
    "post": ("200", "201", "202"),
    "put": ("200", "201"),
    "patch": ("200", "201"),
    "delete": ("200", "202"),
}
_WORDS: Final = {"200": "OK", "201": "Created", "202": "Accepted"}
_PATCHES: Final = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_STRATEGIC: Final = "application/strategic-merge-patch+json"
_TEXTS: Final = ("application/json", "application/yaml")
_PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_TYPES: Final = {
    "allowWatchBookmarks": "boolean", "limit": "integer", "sendInitialEvents": "boolean", "timeoutSeconds": "integer",
    "watch": "boolean", "force": "boolean", "gracePeriodSeconds": "integer", "orphanDependents": "boolean",
    "ignoreStoreReadErrorWithClusterBreakingPotential": "boolean",
}  # fmt: skip
_LISTING: Final = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_WRITING: Final = ("dryRun", "fieldManager", "fieldValidation")
_DELETING: Final = (
    "dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents",
    "propagationPolicy",
)  # fmt: skip
_PARAMETERS: Final = {
    "list": _LISTING, "create": _WRITING, "update": _WRITING, "patch": (*_WRITING, "force"), "delete": _DELETING,
    "deletecollection": tuple(sorted({*_LISTING, *_DELETING} - {"allowWatchBookmarks", "watch"})),
}  # fmt: skip


class Described(Struct, frozen=True):
    """A resource whose operations are described."""

    resource: Resource

    @property
    def is_custom(self) -> bool:
        return self.resource.group not in groups()

    def definition(self, api_version: str, kind: str) -> str:
        """The name of a kind's definition, "" for one that has none."""
        found = definition_of(api_version, kind)
        if found or not self.is_custom or api_version != self.resource.api_version:
            return found
        return definition_name(self.resource.group, self.resource.version, kind)

    def operation(self, verb: str, *, everywhere: bool = False) -> tuple[str, Tree]:
        """The method, and what it does; `everywhere` across all namespaces."""
        resource = self.resource
        method, action = _METHODS[verb]
        kind = resource.list_kind if verb == "list" else resource.kind
        answer = META + "Status" if verb.startswith("delete") else self.definition(resource.api_version, kind)
        body = self.definition(resource.api_version, resource.kind) if verb in ("create", "update") else ""
        scope = "" if everywhere or not resource.namespaced else "Namespaced"
        collection = "Collection" if verb == "deletecollection" else ""
        name = (
            f"{_CALLED[verb]}{self._group}{collection}{scope}{resource.kind}{'ForAllNamespaces' if everywhere else ''}"
        )
        gvk = {"group": resource.group, "kind": resource.kind, "version": resource.version}
        made = self._made(verb, action, name, _description(verb, resource.kind), answer, body, gvk)
        return method, made

    def part(self, sub: Subresource, verb: str) -> tuple[str, Tree]:
        """What a method does on a subresource."""
        method, action = _METHODS[verb]
        connects = sub.kind.endswith("Options")
        definition = "" if connects else self.definition(sub.api_version, sub.kind)
        body = definition if verb in ("create", "update") else ""
        scope = "Namespaced" if self.resource.namespaced else ""
        title = "".join(part.capitalize() for part in sub.name.split("/"))
        called = f"connect{self._group}{method.capitalize()}" if connects else f"{_CALLED[verb]}{self._group}"
        words = (
            f"connect {method.upper()} requests to {sub.name} of {self.resource.kind}"
            if connects
            else _description(verb, self.resource.kind, sub.name)
        )
        gvk = {"group": sub.group, "kind": sub.kind, "version": sub.version}
        name = f"{called}{scope}{self.resource.kind}{title}"
        if connects:
            return method, self._made("", "connect", name, words, "", "", gvk)
        return method, self._made(verb, action, name, words, definition, body, gvk)

    def watching(self, called: str) -> Tree:
        """The deprecated paths of watches."""
        resource = self.resource
        gvk = {"group": resource.group, "kind": resource.kind, "version": resource.version}
        words = f"watch changes to objects of kind {resource.kind}. deprecated: use the 'watch' parameter instead."
        name = f"watch{self._group}{called}"
        return self._made("", "watchlist", name, words, META + "WatchEvent", "", gvk)

    @property
    def _group(self) -> str:
        """As it stands in the names of operations: `AppsV1`, `RbacAuthorizationV1`."""
        return group_title(self.resource.group, self.resource.version)

    @property
    def _contents(self) -> tuple[str, ...]:
        return _TEXTS if self.is_custom else (*_TEXTS, _PROTOBUF)

    def _made(self, verb: str, action: str, name: str, words: str, answer: str, body: str, gvk: Tree) -> Tree:
        answered: Tree = {}
        for code in _CODES.get(_METHODS[verb][0], ("200",)) if verb and verb != "deletecollection" else ("200",):
            answered[code] = {"description": _WORDS[code]}
            if answer:
                schema = {"schema": reference(answer)}
                answered[code]["content"] = dict.fromkeys(self._contents, schema)
        answered["401"] = {"description": "Unauthorized"}
        made: Tree = {
            "description": words, "operationId": name, "tags": [group_tag(self.resource.group, self.resource.version)],
            "responses": answered, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
        }  # fmt: skip
        if parameters := self._parameters(verb):
            made["parameters"] = [_query(each) for each in parameters]
        if body:
            made["requestBody"] = _body(body, _TEXTS if self.is_custom else ("*/*",))
        elif verb == "patch":
            made["requestBody"] = _body(META + "Patch", _PATCHES if self.is_custom else (*_PATCHES, _STRATEGIC))
        elif verb.startswith("delete") and not (self.is_custom and verb == "deletecollection"):
            made["requestBody"] = _body(META + "DeleteOptions", ("*/*",), required=False)
        return made

    def _parameters(self, verb: str) -> tuple[str, ...]:
        if self.is_custom and verb in ("deletecollection", "get"):
            return _LISTING if verb == "deletecollection" else ("resourceVersion",)
        return _PARAMETERS.get(verb, ())


def path_parameters(path: str, kind: str) -> list[Tree]:
    """What all operations of a path take."""
    words = {"namespace": "object name and auth scope, such as for teams and projects", "name": f"name of the {kind}"}
    found = [
        {
            "name": name, "in": "path", "required": True, "description": words[name],
            "schema": {"type": "string", "uniqueItems": True},
        }
        for name in ("name", "namespace")
        if f"{{{name}}}" in path
    ]  # fmt: skip
    return [*found, _query("pretty")]


def group_title(group: str, version: str) -> str:
    parts = [part for part in group.removesuffix(".k8s.io").replace("-", ".").split(".") if part] or ["core"]
    return "".join(part[:1].upper() + part[1:] for part in (*parts, version))


def group_tag(group: str, version: str) -> str:
    title = group_title(group, "")
    return f"{title[:1].lower()}{title[1:]}_{version}"


def _description(verb: str, kind: str, part: str = "") -> str:
    of = f" {part} of" if part else ""
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    match verb:
        case "list":
            return f"list or watch objects of kind {kind}"
        case "deletecollection":
            return f"delete collection of {kind}"
        case "create" | "delete":
            return f"{verb}{of} {article} {kind}"
        case "patch":
            return f"partially update{of} the specified {kind}"
        case _:
            return f"{_CALLED[verb]}{of} the specified {kind}"


def _body(definition: str, contents: tuple[str, ...], *, required: bool = True) -> Tree:
    made: Tree = {"content": {media: {"schema": reference(definition)} for media in contents}}
    return made | {"required": True} if required else made


def _query(name: str) -> Tree:
    return {"name": name, "in": "query", "schema": {"type": _TYPES.get(name, "string"), "uniqueItems": True}}


def reference(definition: str) -> Tree:
    return {"$ref": "#/components/schemas/" + definition}
