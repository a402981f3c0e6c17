"""Discovery of what is served: the lists of each group and version, and the aggregated documents (v2).

Made anew when the set of served resources changes, else answered from bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator

import msgspec

from pybernetes.api import scheme
from pybernetes.api.errors import method_not_allowed
from pybernetes.api.scheme import Resource, join_api_version, version_priority
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.handlers.call import tree_answer
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.negotiate import Format, negotiate, wants_aggregated
from pybernetes.apiserver.pages import Page


class Elsewhere(msgspec.Struct, frozen=True):
    """A version of a group that another server serves: its own list of resources, and whether that is of now."""

    group: str
    version: str
    resources: list[Tree]
    is_current: bool = True


class Discovery:
    """`resources` lists what is served now; `changed` is called by the registry when that is no longer true.

    `elsewhere` gives the groups and versions that other servers serve, with their own lists of resources.
    """

    def __init__(
        self, resources: Callable[[], Iterator[Resource]], address: str, elsewhere: Callable[[], Iterator[Elsewhere]]
    ) -> None:
        self._resources = resources
        self._address = address
        self._elsewhere = elsewhere
        self._documents: dict[str, Tree] | None = None

    def changed(self) -> None:
        """The set of served resources is another one now."""
        self._documents = None

    def find(self, path: str) -> Page | None:
        """The page of a path of /api or /apis; None for others."""
        if self._documents is None:
            self._documents = dict(self._make())
        is_beside = path == "/apis/"  # upstream's list there is another one's, who never heard of aggregated discovery
        path = path.rstrip("/")
        document = self._documents.get(path)
        if document is None:
            return None
        aggregated = None if is_beside else self._documents.get(f"{path}#aggregated")
        return lambda ctx: _answer(ctx, document, aggregated, is_plain=_is_plain(path))

    def paths(self) -> list[str]:
        """Of all documents."""
        if self._documents is None:
            self._documents = dict(self._make())
        return ["/apis/", *(path for path in self._documents if "#" not in path)]

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Group -> version -> resources; built-in groups first, versions with the preferred one first."""
        found: dict[str, dict[str, list[Resource]]] = {}
        for resource in self._resources():
            found.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        return {
            group: dict(sorted(versions.items(), key=lambda pair: version_priority(pair[0])))
            for group, versions in found.items()
        }

    def _make(self) -> Iterator[tuple[str, Tree]]:
        groups = self.groups()
        others: dict[str, dict[str, Elsewhere]] = {}
        for one in self._elsewhere():
            # Such a version is the other server's, whatever is served here under its name.
            groups.get(one.group, {}).pop(one.version, None)
            others.setdefault(one.group, {})[one.version] = one
        groups = {group: versions for group, versions in groups.items() if versions}
        address = [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}]
        yield "/api", {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": address}
        listed: list[Tree] = []
        for group, versions in groups.items():
            for version, resources in versions.items():
                prefix = f"/apis/{group}" if group else "/api"
                yield f"{prefix}/{version}", _resource_list(group, version, resources)
            if group:
                every = sorted([*versions, *others.get(group, {})], key=version_priority)
                listed.append(_group(group, every))
                yield f"/apis/{group}", {"kind": "APIGroup", "apiVersion": "v1", **listed[-1]}
        for group, found in others.items():
            if group not in groups:
                listed.append(_group(group, sorted(found, key=version_priority)))
                yield f"/apis/{group}", {"kind": "APIGroup", "apiVersion": "v1", **listed[-1]}
        yield "/apis", {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        core = groups.pop("", {})
        yield "/api#aggregated", _aggregated({"": core})
        yield "/apis#aggregated", _aggregated(groups, others)


def _group(group: str, versions: list[str]) -> Tree:
    described = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": described, "preferredVersion": described[0]}


def _resource_list(group: str, version: str, resources: list[Resource]) -> Tree:
    entries: list[Tree] = []
    for resource in sorted(resources, key=lambda one: one.plural):
        entries.append(_resource(resource))
        entries += [_subresource(resource, name) for name in sorted(resource.subresources)]
    # The list of the core group dates from before the kind had a version.
    own = {"kind": "APIResourceList", "apiVersion": "v1"} if group else {"kind": "APIResourceList"}
    return own | {"groupVersion": join_api_version(group, version), "resources": entries}


def _resource(resource: Resource) -> Tree:
    entry: Tree = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "watch" in resource.verbs:
        entry["storageVersionHash"] = storage_version_hash(scheme.storage_resource(resource))
    return entry


def storage_version_hash(resource: Resource) -> str:
    """A short hash that changes when a kind's storage version does."""
    digest = hashlib.sha256(f"{resource.group}/{resource.version}/{resource.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _subresource(resource: Resource, name: str) -> Tree:
    sub = resource.subresources[name]
    entry: Tree = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if (sub.group, sub.version) != (resource.group, resource.version):
        entry |= {"group": sub.group, "version": sub.version} if sub.group else {"version": sub.version}
    return entry | {"kind": sub.kind, "verbs": list(sub.verbs)}


def _aggregated(
    groups: dict[str, dict[str, list[Resource]]], others: dict[str, dict[str, Elsewhere]] | None = None
) -> Tree:
    items: list[Tree] = []
    elsewhere = {
        group: [_version_elsewhere(one) for one in versions.values()] for group, versions in (others or {}).items()
    }
    for group, versions in groups.items():
        described = [
            {
                "version": version,
                "resources": [_aggregated_resource(one) for one in sorted(found, key=lambda one: one.plural)],
                "freshness": "Current",
            }
            for version, found in versions.items()
        ]
        described += elsewhere.pop(group, [])
        items.append({"metadata": {"name": group} if group else {}, "versions": described})
    items += [{"metadata": {"name": group}, "versions": versions} for group, versions in elsewhere.items()]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _version_elsewhere(one: Elsewhere) -> Tree:
    """A version that another server serves, made of its list of resources."""
    group, version = one.group, one.version
    resources: dict[str, Tree] = {}
    for entry in sorted(one.resources, key=lambda entry: str(entry["name"])):
        plural, _, part = entry["name"].partition("/")
        kind = {
            "group": entry.get("group") or group, "version": entry.get("version") or version, "kind": entry.get("kind", ""),
        }  # fmt: skip
        if part and plural in resources:
            made = {"subresource": part, "responseKind": kind, "verbs": entry.get("verbs") or []}
            resources[plural].setdefault("subresources", []).append(made)
        elif not part:
            resources[plural] = {
                "resource": plural,
                "responseKind": kind,
                "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
                "singularResource": entry.get("singularName", ""),
                "verbs": entry.get("verbs") or [],
                **{key: entry[key] for key in ("shortNames", "categories") if entry.get(key)},
            }
    freshness = "Current" if one.is_current else "Stale"
    return {"version": version, "resources": list(resources.values()), "freshness": freshness}


def _aggregated_resource(resource: Resource) -> Tree:
    custom = resource.group not in scheme.groups()
    own = {"group": resource.group, "version": resource.version} if custom else {"group": "", "version": ""}
    entry: Tree = {
        "resource": resource.plural,
        "responseKind": {**own, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": _response_kind(resource, name, own),
                "verbs": list(resource.subresources[name].verbs),
            }
            for name in sorted(resource.subresources)
        ]
    return entry


def _response_kind(resource: Resource, name: str, own: Tree) -> Tree:
    sub = resource.subresources[name]
    if (sub.group, sub.version) == (resource.group, resource.version):
        return {**own, "kind": sub.kind}
    return {"group": sub.group, "version": sub.version, "kind": sub.kind}


def _is_plain(path: str) -> bool:
    """The lists of groups and of a group's versions look at no method; upstream's router does not know them."""
    return path.startswith("/apis") and path.count("/") < 3


def _answer(ctx: RequestContext, document: Tree, aggregated: Tree | None, *, is_plain: bool) -> Answer:
    if ctx.request.method != "GET" and not is_plain:
        raise method_not_allowed()
    accept = ctx.request.headers.get("accept", "")
    if aggregated is not None and (whole := wants_aggregated(accept, pretty=ctx.request.is_pretty)) is not None:
        return _with_etag(ctx, aggregated, whole)
    return tree_answer(
        200, document, negotiate(accept, protobuf=True, routed=not is_plain, pretty=ctx.request.is_pretty)
    )


def _with_etag(ctx: RequestContext, document: Tree, wanted: Format) -> Answer:
    etag = f'"{hashlib.sha512(msgspec.json.encode(document)).hexdigest().upper()}"'
    media = f"{wanted.media_type};g=apidiscovery.k8s.io;v={wanted.version};as={wanted.kind}"
    headers = [("etag", etag), ("vary", "Accept"), ("cache-control", "public")]
    if ctx.request.headers.get("if-none-match") == etag:
        return Response(304, b"", "", headers)
    return Response(200, tree_answer(200, document, wanted).body, media, headers)
