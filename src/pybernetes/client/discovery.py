"""What a server serves: its resources, from aggregated discovery (`apidiscovery.k8s.io/v2`)."""

from __future__ import annotations

import msgspec

from pybernetes.api.scheme import Resource, by_kind
from pybernetes.client.rest import Client

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class _Kind(msgspec.Struct):
    kind: str = ""
    group: str = ""
    version: str = ""


class _Resource(msgspec.Struct, rename="camel"):
    resource: str
    response_kind: _Kind | None = None
    scope: str = ""
    singular_resource: str = ""
    verbs: list[str] = []
    short_names: list[str] = []
    categories: list[str] = []


class _Version(msgspec.Struct):
    version: str
    resources: list[_Resource] = []
    freshness: str = "Current"


class _Metadata(msgspec.Struct):
    name: str = ""


class _Group(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    versions: list[_Version] = []


class _Groups(msgspec.Struct):
    items: list[_Group] = []


_decode = msgspec.json.Decoder(_Groups).decode


class Served(msgspec.Struct, frozen=True):
    """What a server serves. Of `stale` versions ("group/version") it is not known: their server does not answer."""

    resources: list[Resource]
    stale: list[str]

    @property
    def error(self) -> str:
        """In a client's words; empty if all is known."""
        named = ", ".join(f"{name}: stale GroupVersion discovery: {name}" for name in sorted(self.stale))
        return f"unable to retrieve the complete list of server APIs: {named}" if named else ""


async def find_kind(client: Client, api_version: str, kind: str) -> Resource | None:
    """The resource of a kind, built-in or custom; None if nothing serves it. Raises StatusError."""
    if (known := by_kind(api_version, kind)) is not None:
        return known
    served = await discover(client, preferred_only=False)
    return next((found for found in served.resources if (found.api_version, found.kind) == (api_version, kind)), None)


async def discover(client: Client, *, preferred_only: bool = True) -> Served:
    """The server's resources (no subresources), each group's in its preferred version only unless told otherwise.

    Those of a stale version are what its server said last.
    """
    found: list[Resource] = []
    stale: list[str] = []
    for path in ("/api", "/apis"):
        answer = await client.request("GET", path, accept=ACCEPT)
        for group in _decode(answer.body).items:
            found += _of_group(group, preferred_only)
            stale += [f"{group.metadata.name}/{one.version}" for one in group.versions if one.freshness == "Stale"]
    return Served(found, stale)


def _of_group(group: _Group, preferred_only: bool) -> list[Resource]:
    """A resource that exists only in a version that is not preferred is served there."""
    found: dict[object, Resource] = {}
    for version in group.versions:
        for entry in version.resources:
            key = entry.resource if preferred_only else (version.version, entry.resource)
            kind = entry.response_kind.kind if entry.response_kind is not None else ""
            if key in found or not kind:
                continue
            found[key] = Resource(
                group=group.metadata.name,
                version=version.version,
                plural=entry.resource,
                kind=kind,
                singular=entry.singular_resource,
                namespaced=entry.scope == "Namespaced",
                verbs=tuple(entry.verbs),
                short_names=tuple(entry.short_names),
                categories=tuple(entry.categories),
            )
    return list(found.values())
