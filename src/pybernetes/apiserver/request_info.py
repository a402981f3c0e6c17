"""What a request asks for, read off its method and path alone (upstream's RequestInfo)."""

from msgspec import Struct

from pybernetes.api.caching import short_cache

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# Subresources of a namespace itself: /api/v1/namespaces/x/status is no namespaced resource "status".
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))


class PathError(Exception):
    """A path that begins as one of a resource and names none."""


class RequestInfo(Struct, frozen=True):
    """The words authorization, audit, admission and dispatch speak of a request in.

    For a non-resource request `verb` is the method in lower case and only `path` is set besides. `name` of a
    list or watch is that of a `metadata.name` field selector. `parts` begins with the resource's plural.
    """

    path: str
    verb: str
    is_resource_request: bool = False
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()


@short_cache(4096)
def parse(method: str, path: str, *, watch: bool = False, selected_name: str = "") -> RequestInfo:
    """`watch`: the query asks to watch; `selected_name`: the name that the field selector asks for, if any.

    Raises PathError.
    """
    parts = tuple(path.strip("/").split("/"))
    plain = RequestInfo(path, method.lower())
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return plain
    prefix, rest = parts[0], parts[1:]
    group = ""
    if prefix == "apis":
        if len(rest) < 3:
            return plain
        group, rest = rest[0], rest[1:]
    version, rest = rest[0], rest[1:]
    verb = _VERBS.get(method, "")
    if rest[0] in ("watch", "proxy"):
        # The deprecated forms /api/v1/watch/... and /api/v1/proxy/...
        verb, rest = rest[0], rest[1:]
        if not rest:
            raise PathError("unable to determine kind and namespace from url")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name:
        if verb == "get":
            verb = "watch" if watch else "list"
        elif verb == "delete":
            verb = "deletecollection"
        if verb in ("list", "watch", "deletecollection"):
            name = selected_name
    return RequestInfo(path, verb, True, group, version, namespace, rest[0], subresource, name, rest)
