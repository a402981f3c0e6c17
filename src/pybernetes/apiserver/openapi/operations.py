"""The operations on a resource as OpenAPI describes them: names, words, parameters, contents."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from pybernetes.api.scheme import Resource, Subresource, groups
from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi import parameters
from pybernetes.apiserver.openapi.custom import definition_name
from pybernetes.apiserver.openapi.definitions import META, definition_of
from pybernetes.apiserver.resources.strategies import RETURNS_DELETED

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
_PATCHES: Final = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)  # fmt: skip
_CUSTOM_PATCHES: Final = tuple(media for media in _PATCHES if "strategic" not in media)
_TEXTS: Final = ("application/json", "application/yaml")
_PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_CONNECTING: Final = ("head", "options")
"""Methods of a proxy, besides those that discovery has verbs for."""
_STREAM: Final = ";stream=watch"


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
        answer = self.definition(resource.api_version, kind)
        if verb == "deletecollection" or (verb == "delete" and resource.group_resource not in RETURNS_DELETED):
            answer = META + "Status"
        body = self.definition(resource.api_version, resource.kind) if verb in ("create", "update") else ""
        scope = "" if everywhere or not resource.namespaced else "Namespaced"
        collection = "Collection" if verb == "deletecollection" else ""
        name = (
            f"{_CALLED[verb]}{self._group}{collection}{scope}{resource.kind}{'ForAllNamespaces' if everywhere else ''}"
        )
        gvk = _gvk(resource)
        words = _description(verb, resource.kind)
        if verb == "list" and "watch" not in resource.verbs:
            words = words.replace("list or watch", "list")
        return method, self._made(verb, action, name, words, answer, body, gvk)

    def part(self, sub: Subresource, *, below: bool = False) -> dict[str, Tree]:
        """What each method does on a subresource; `below`: on a path below a proxy."""
        if sub.kind.endswith("Options"):
            methods = [_METHODS[verb][0] for verb in sub.verbs]
            methods += _CONNECTING if sub.name == "proxy" else ()
            return {method: self._connection(sub, method, below=below) for method in methods}
        return {_METHODS[verb][0]: self._part(sub, verb) for verb in sub.verbs}

    def _part(self, sub: Subresource, verb: str) -> Tree:
        action = _METHODS[verb][1]
        definition = self.definition(sub.api_version, sub.kind)
        body = definition if verb in ("create", "update") else ""
        name = f"{_CALLED[verb]}{self._group}{self._scoped(sub)}"
        words = _description(verb, self.resource.kind, sub.name)
        made = self._made(verb, action, name, words, definition, body, _gvk(self.resource if self.is_custom else sub))
        if sub.name == "log":
            made["responses"]["200"]["content"] = _text(("text/plain", *self._contents))
            made["parameters"] = parameters.of_log()
        return made

    def _connection(self, sub: Subresource, method: str, *, below: bool) -> Tree:
        name = f"connect{self._group}{method.capitalize()}{self._scoped(sub)}{'WithPath' if below else ''}"
        words = f"connect {method.upper()} requests to {sub.name} of {self.resource.kind}"
        made = self._made("", "connect", name, words, "", "", _gvk(sub))
        made["responses"] = {"200": {"description": "OK", "content": _text(("*/*",))}, "401": made["responses"]["401"]}
        return made | {"parameters": parameters.of_connection(sub.kind)}

    def _scoped(self, sub: Subresource) -> str:
        """How a subresource is called in names of operations."""
        title = "".join(part.capitalize() for part in sub.name.split("/"))
        return f"{'Namespaced' if self.resource.namespaced else ''}{self.resource.kind}{title}"

    def watching(self, called: str, *, single: bool = False) -> Tree:
        """The deprecated paths of watches; `single` for those that name an object."""
        resource = self.resource
        gvk = _gvk(resource)
        words = (
            f"watch changes to an object of kind {resource.kind}. deprecated: use the 'watch' parameter with a list "
            "operation instead, filtered to a single item with the 'fieldSelector' parameter."
            if single
            else f"watch individual changes to a list of {resource.kind}. deprecated: use the 'watch' parameter with a "
            "list operation instead."
        )
        action = "watch" if single else "watchlist"
        return self._made("watch", action, f"watch{self._group}{called}", words, META + "WatchEvent", "", gvk)

    @property
    def _group(self) -> str:
        """As it stands in the names of operations: `AppsV1`, `RbacAuthorizationV1`."""
        return group_title(self.resource.group, self.resource.version)

    @property
    def _contents(self) -> tuple[str, ...]:
        return _TEXTS if self.is_custom else (*_TEXTS, _PROTOBUF)

    def _made(self, verb: str, action: str, name: str, words: str, answer: str, body: str, gvk: Tree) -> Tree:
        contents = self._contents
        if verb in ("list", "watch") and not self.is_custom:
            contents = (*contents, *(media + _STREAM for media in contents if media != "application/yaml"))
        answered: Tree = {}
        for code in self._codes(verb):
            answered[code] = {"description": _WORDS[code]}
            if answer:
                schema = {"schema": reference(answer)}
                answered[code]["content"] = dict.fromkeys(contents, schema)
        answered["401"] = {"description": "Unauthorized"}
        made: Tree = {
            "description": words, "operationId": name, "tags": [group_tag(self.resource.group, self.resource.version)],
            "parameters": parameters.of_verb(verb, custom=self.is_custom), "responses": answered,
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
        }  # fmt: skip
        if body:
            made["requestBody"] = _body(body, _TEXTS if self.is_custom else ("*/*",))
        elif verb == "patch":
            made["requestBody"] = _body(META + "Patch", _CUSTOM_PATCHES if self.is_custom else _PATCHES)
        elif verb.startswith("delete") and not (self.is_custom and verb == "deletecollection"):
            media = _TEXTS if self.is_custom else ("*/*",)
            made["requestBody"] = _body(META + "DeleteOptions", media, required=False)
        return made

    def _codes(self, verb: str) -> tuple[str, ...]:
        """Of success."""
        if verb in ("", "deletecollection") or (self.is_custom and verb == "patch"):
            return ("200",)
        return _CODES.get(_METHODS[verb][0], ("200",))


def _gvk(named: Resource | Subresource) -> Tree:
    return {"group": named.group, "kind": named.kind, "version": named.version}


def _text(contents: tuple[str, ...]) -> Tree:
    return {media: {"schema": {"type": "string"}} for media in contents}


def group_title(group: str, version: str) -> str:
    parts = [part for part in group.removesuffix(".k8s.io").replace("-", ".").split(".") if part] or ["core"]
    return "".join(part[:1].upper() + part[1:] for part in (*parts, version))


def group_tag(group: str, version: str) -> str:
    title = group_title(group, "")
    return f"{title[:1].lower()}{title[1:]}_{version}"


def _description(verb: str, kind: str, part: str = "") -> str:
    of = f" {part} of" if part else ""
    article = "" if kind.endswith("s") and not kind.endswith("ss") else "an " if kind[:1].lower() in "aeiou" else "a "
    match verb:
        case "list":
            return f"list or watch objects of kind {kind}"
        case "deletecollection":
            return f"delete collection of {kind}"
        case "create" | "delete":
            return f"{verb}{of} {article}{kind}"
        case "patch":
            return f"partially update{of} the specified {kind}"
        case _:
            return f"{_CALLED[verb]}{of} the specified {kind}"


def _body(definition: str, contents: tuple[str, ...], *, required: bool = True) -> Tree:
    made: Tree = {"content": {media: {"schema": reference(definition)} for media in contents}}
    return made | {"required": True} if required else made


def reference(definition: str) -> Tree:
    return {"$ref": "#/components/schemas/" + definition}
