"""The resources of the API: groups, versions, kinds, paths, verbs and subresources, as discovery states them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from pybernetes.api.types.base import Object

API_LEVEL = "1.36"

# Not by importlib.resources: its imports would take longer than all else here.
_FACTS = Path(__file__).parent / "facts"


class Subresource(Struct, frozen=True):
    """What can be done below an object, and the kind that travels there ("autoscaling", "v1", "Scale")."""

    name: str
    verbs: tuple[str, ...]
    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return join_api_version(self.group, self.version)


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind at one version as the API serves it; built-in and custom ones alike.

    Two resources are equal when group, version and plural are.
    """

    group: str
    version: str
    plural: str
    kind: str = field(compare=False)
    singular: str = field(compare=False)
    namespaced: bool = field(compare=False)
    short_names: tuple[str, ...] = field(default=(), compare=False)
    categories: tuple[str, ...] = field(default=(), compare=False)
    verbs: tuple[str, ...] = field(default=(), compare=False)
    subresources: Mapping[str, Subresource] = field(default_factory=dict, compare=False)
    list_kind: str = field(default="", compare=False)
    deprecation: str = field(default="", compare=False)
    """Of a custom resource: what users are warned of."""
    stored_version: str = field(default="", compare=False)
    """Of a custom resource: the version in which all of its objects are stored."""

    def __post_init__(self) -> None:
        if not self.list_kind:
            object.__setattr__(self, "list_kind", self.kind + "List")

    @property
    def api_version(self) -> str:
        """As it stands in an object's `apiVersion`: "v1", "apps/v1"."""
        return join_api_version(self.group, self.version)

    @property
    def group_resource(self) -> str:
        """As messages name it: "pods", "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path; without a namespace that of all namespaces, without a name that of the collection.

        Segments are taken as they are: names that the API accepts need no escaping.
        """
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


def join_api_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def split_api_version(api_version: str) -> tuple[str, str]:
    """Group and version: "apps/v1" -> ("apps", "v1"), "v1" -> ("", "v1")."""
    group, _, version = api_version.rpartition("/")
    return group, version


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sort key: v2 before v1 before v1beta1 before v1alpha1 before anything else (upstream's version order)."""
    digits = version[1:]
    for rank, stage in ((0, ""), (1, "beta"), (2, "alpha")):
        major, found, minor = digits.partition(stage) if stage else (digits, "", "")
        if version.startswith("v") and major.isdigit() and (not stage or (found and minor.isdigit())):
            return (rank, -int(major), -int(minor or 0), "")
    return (3, 0, 0, version)


def resources() -> tuple[Resource, ...]:
    """Every built-in resource, in the order of discovery."""
    return _index().resources


def group_versions(group: str) -> tuple[str, ...]:
    """The served versions of a built-in group, the preferred one first; empty for an unknown group."""
    return _index().versions.get(group, ())


def groups() -> tuple[str, ...]:
    """The built-in groups in the order of discovery; the core group "" is first."""
    return tuple(_index().versions)


def by_plural(group: str, version: str, plural: str) -> Resource | None:
    return _index().by_plural.get((group, version, plural))


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The resource whose objects carry this apiVersion and kind; None for kinds that have no resource of their own."""
    return _index().by_kind.get((api_version, kind))


def resource_for(kind: type[Object]) -> Resource:
    """The resource of a type of `api.types`; LookupError for a type that is a part of others or a list."""
    short, _, version = kind.__module__.rpartition(".")[2].rpartition("_")
    found = _index().by_module.get((short, version, kind.__name__))
    if found is None:
        raise LookupError(f"{kind.__module__}.{kind.__name__} is no resource")
    return found


@cache
def type_of(resource: Resource) -> type[Object] | None:
    """The type of a built-in resource's objects, None for a custom one; imports its module on first use."""
    if by_plural(resource.group, resource.version, resource.plural) is None:
        return None
    module = importlib.import_module(f"pybernetes.api.types.{module_name(resource.group, resource.version)}")
    found: type[Object] = getattr(module, resource.kind)
    return found


def module_name(group: str, version: str) -> str:
    """The module of `api.types` that holds a group and version: ("rbac.authorization.k8s.io", "v1") -> "rbac_v1"."""
    return f"{group.partition('.')[0] or 'core'}_{version}"


def storage_resource(resource: Resource) -> Resource:
    """The resource in whose version and group objects are stored: one log per object, however many ways serve it."""
    if resource.stored_version:
        return replace(resource, version=resource.stored_version)
    if (resource.group, resource.plural) == ("events.k8s.io", "events"):
        return by_plural("", "v1", "events") or resource
    if (resource.group, resource.plural) == ("autoscaling", "horizontalpodautoscalers"):
        return by_plural("autoscaling", "v2", "horizontalpodautoscalers") or resource
    return resource


# Where upstream's key differs from the plural; from its storage factory and the two servers that it delegates to.
_STORAGE_PREFIXES = {
    ("", "endpoints"): "services/endpoints",
    ("", "nodes"): "minions",
    ("", "replicationcontrollers"): "controllers",
    ("", "services"): "services/specs",
    ("networking.k8s.io", "ingresses"): "ingress",
    ("events.k8s.io", "events"): "events",
    ("apiextensions.k8s.io", "customresourcedefinitions"): "apiextensions.k8s.io/customresourcedefinitions",
    ("apiregistration.k8s.io", "apiservices"): "apiregistration.k8s.io/apiservices",
}


def storage_prefix(resource: Resource) -> str:
    """The part of a store key between `/registry/` and the namespace: upstream's own ("minions" for nodes)."""
    special = _STORAGE_PREFIXES.get((resource.group, resource.plural))
    if special is not None:
        return special
    if resource.group in _index().versions:
        return resource.plural
    return f"{resource.group}/{resource.plural}"


class _Index(Struct, frozen=True):
    resources: tuple[Resource, ...]
    versions: dict[str, tuple[str, ...]]
    by_plural: dict[tuple[str, str, str], Resource]
    by_kind: dict[tuple[str, str], Resource]
    by_module: dict[tuple[str, str, str], Resource]


def discovery() -> dict[str, Any]:
    """The recorded aggregated discovery documents of `/api` and `/apis`; a fresh copy for the caller to keep."""
    raw = _FACTS.joinpath(f"discovery-{API_LEVEL}.json").read_bytes()
    documents: dict[str, Any] = msgspec.json.decode(raw)
    return documents


@cache
def _index() -> _Index:
    versions: dict[str, tuple[str, ...]] = {}
    found: list[Resource] = []
    for document in discovery().values():
        for group in document["items"]:
            name = group["metadata"].get("name", "")
            versions[name] = tuple(version["version"] for version in group["versions"])
            for version in group["versions"]:
                found += (_resource(name, version["version"], entry) for entry in version["resources"])
    return _Index(
        resources=tuple(found),
        versions=versions,
        by_plural={(r.group, r.version, r.plural): r for r in found},
        by_kind={(r.api_version, r.kind): r for r in found},
        by_module={(r.group.partition(".")[0] or "core", r.version, r.kind): r for r in found},
    )


def _resource(group: str, version: str, entry: dict[str, Any]) -> Resource:
    return Resource(
        group=group,
        version=version,
        plural=entry["resource"],
        kind=entry["responseKind"]["kind"],
        singular=entry["singularResource"],
        namespaced=entry["scope"] == "Namespaced",
        short_names=tuple(entry.get("shortNames", ())),
        categories=tuple(entry.get("categories", ())),
        verbs=tuple(entry["verbs"]),
        subresources=MappingProxyType(dict(_subresources(group, version, entry.get("subresources", ())))),
    )


def _subresources(group: str, version: str, entries: Iterable[dict[str, Any]]) -> Iterable[tuple[str, Subresource]]:
    for entry in entries:
        kind = entry["responseKind"]
        # An empty group and version in discovery stand for those of the resource itself.
        own = not kind["group"] and not kind["version"]
        name = entry["subresource"]
        yield (
            name,
            Subresource(
                name=name,
                verbs=tuple(entry["verbs"]),
                group=group if own else kind["group"],
                version=version if own else kind["version"],
                kind=kind["kind"],
            ),
        )
