"""/openapi/v2 and /openapi/v3: made when first asked for, kept until the served resources change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Protocol

import msgspec

from pybernetes.api.scheme import API_LEVEL, Resource, groups
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.compression import compressed, takes_gzip
from pybernetes.apiserver.http.conditions import conditional
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.openapi import gnostic, gnostic3
from pybernetes.apiserver.openapi.definitions import closure, references, rendered
from pybernetes.apiserver.openapi.merge import merged
from pybernetes.apiserver.openapi.paths import PLAIN_PATHS, paths_of, plain_path
from pybernetes.apiserver.openapi.swagger import as_swagger
from pybernetes.apiserver.pages import Page

INFO = {"title": "Kubernetes", "version": API_LEVEL}
CUSTOM_INFO = {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}
SECURITY = {"BearerToken": {"type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header"}}  # fmt: skip
VARY = ("vary", "Accept")
VARY_CODING = ("vary", "Accept-Encoding")
"""Said of v2, the one document that is also there in gzip."""
Groups = dict[str, dict[str, list[Resource]]]
ExtraSchemas = Callable[[str, str, str, bool], dict[str, Tree]]
"""Schemas of a group and version's custom resources, by definition name: with references below a prefix, for Swagger."""
_V3, _V2 = "#/components/schemas/", "#/definitions/"


class Elsewhere(Protocol):
    """What other servers publish."""

    def urls(self) -> Iterator[tuple[str, str]]:
        """Path below /openapi/v3 and URL of each document."""
        ...

    def parts(self) -> Iterator[Tree]:
        """Paths and definitions of v2."""
        ...


class OpenAPI:
    """`groups` tells what is served now, `extra` the schemas that facts do not know, `elsewhere` what others say."""

    def __init__(self, groups: Callable[[], Groups], extra: ExtraSchemas, elsewhere: Elsewhere) -> None:
        self._groups = groups
        self._elsewhere = elsewhere
        self._extra = extra
        self._made: dict[str, tuple[bytes, str, datetime]] = {}
        self._hashes: dict[str, str] = {}

    def changed(self) -> None:
        """The set of served resources, or a schema, is another one now."""
        self._made.clear()
        self._hashes.clear()

    def find(self, path: str) -> Page | None:
        """The page of a path below /openapi, which ends in no slash; None for others."""
        if path == "/openapi/v2":
            return self._answer_version2
        if path == "/openapi/v3":
            return self._answer_index
        key = path.removeprefix("/openapi/v3/")
        if key == path:
            return None
        if key not in self._keys():
            return lambda ctx: Response(404, b"", "")
        return lambda ctx: self._answer_version3(ctx, key)

    def paths(self) -> list[str]:
        """Of all documents."""
        return ["/openapi/v2", "/openapi/v3", *(f"/openapi/v3/{key}" for key in self._keys())]

    def _answer_index(self, ctx: RequestContext) -> Answer:
        """Whatever the client takes; it is always new, but for whoever has the tag, which upstream's has not.

        By the date alone, kubectl would go on with what it has when a definition comes within the same second.
        """
        body = msgspec.json.encode(self.index())
        whole = Response(200, body, "text/plain; charset=utf-8")
        return conditional(ctx.request, whole, ctx.services.clock.now(), _tag(body))

    def _answer_version3(self, ctx: RequestContext, key: str) -> Answer:
        """Of a document that is asked for by its hash, clients may keep what they get; another hash leads to it."""
        wanted = ctx.request.parameter("hash")
        is_protobuf = _is_first(ctx, gnostic3.ASKED_FOR, gnostic3.MEDIA_TYPE)
        if not is_protobuf and not _takes_json(ctx):
            return Response(406, b"", "", [VARY])
        if wanted and wanted != self._hash(key):
            return Response(301, b"", "text/html; charset=utf-8", [VARY, ("location", self._url(key))])
        if is_protobuf:
            made = self._document(ctx, f"{key} protobuf", lambda: gnostic3.document(self.version3(key)))
            answer = _answered(ctx, made, gnostic3.MEDIA_TYPE, VARY)
        else:
            made = self._document(ctx, key, lambda: msgspec.json.encode(self.version3(key)))
            answer = _answered(ctx, made, "application/json", VARY)
        if wanted:
            expires = format_datetime(ctx.services.clock.now() + timedelta(days=365), usegmt=True)
            answer.headers.extend([("cache-control", "public, immutable"), ("expires", expires)])
        return answer

    def _answer_version2(self, ctx: RequestContext) -> Answer:
        """JSON, or protobuf for whoever asks for that first; whole, it may be in gzip."""
        if _is_first(ctx, gnostic.ASKED_FOR, gnostic.MEDIA_TYPE):
            made = self._document(ctx, "v2 protobuf", lambda: gnostic.document(self.version2()))
            answer = _answered(ctx, made, gnostic.MEDIA_TYPE, VARY, VARY_CODING)
        elif _takes_json(ctx):
            made = self._document(ctx, "v2", lambda: msgspec.json.encode(self.version2()))
            answer = _answered(ctx, made, "application/json", VARY, VARY_CODING)
        else:
            return Response(406, b"", "", [VARY, VARY_CODING])
        if answer.status != 200 or not takes_gzip(accepted := ctx.request.headers.get("accept-encoding", "")):
            return answer
        answer.headers.remove(VARY_CODING)
        return compressed(answer, accepted)

    def _document(self, ctx: RequestContext, key: str, make: Callable[[], bytes]) -> tuple[bytes, str, datetime]:
        """A document, its entity tag, and since when it is so."""
        found = self._made.get(key)
        if found is None:
            body = make()
            found = self._made[key] = (body, _tag(body), ctx.services.clock.now())
        return found

    def _keys(self) -> dict[str, tuple[str, str]]:
        """The documents of v3: path below /openapi/v3 -> group and version, empty for those above versions."""
        found: dict[str, tuple[str, str]] = dict.fromkeys(PLAIN_PATHS, ("", ""))
        found |= {"api": ("", ""), "apis": ("", "")}
        for group, versions in self._groups().items():
            if group in groups() and group:
                found[f"apis/{group}"] = ("", "")
            for version in versions:
                found[f"apis/{group}/{version}" if group else f"api/{version}"] = (group, version)
        return dict(sorted(found.items()))

    def index(self) -> Tree:
        """Where each document is; the hash changes when it does."""
        paths: Tree = {key: {"serverRelativeURL": self._url(key)} for key in self._keys()}
        paths |= {key: {"serverRelativeURL": url} for key, url in self._elsewhere.urls()}
        return {"paths": dict(sorted(paths.items()))}

    def _url(self, key: str) -> str:
        return f"/openapi/v3/{key}?hash={self._hash(key)}"

    def _hash(self, key: str) -> str:
        """Of what the document of a key is made of."""
        found = self._hashes.get(key)
        if found is None:
            group, version = self._keys()[key]
            resources = self._groups().get(group, {}).get(version, [])
            told = repr((key, INFO, [(one, one.verbs, sorted(one.subresources)) for one in resources]))
            told += repr(sorted(self._extra(group, version, _V3, False).items())) if version else ""
            found = self._hashes[key] = hashlib.sha512(told.encode()).hexdigest().upper()
        return found

    def version3(self, key: str) -> Tree:
        """The document of one group and version."""
        group, version = self._keys()[key]
        resources = self._groups().get(group, {}).get(version, [])
        root = f"/{key}"
        paths = dict(sorted(paths_of(root, resources))) if version else {root + "/": plain_path(key)}
        schemas = self._extra(group, version, _V3, False) if version else {}
        roots = (name.removeprefix(_V3) for part in (paths, schemas) for name in references(part))
        schemas |= {name: rendered(name, _V3, defaults=True) for name in closure(roots)}
        if group not in groups():
            return {"openapi": "3.0.0", "info": CUSTOM_INFO, "paths": paths, "components": {"schemas": schemas}}
        for one in schemas.values():
            _keep_kinds(one, group, version)
        components = ({"schemas": schemas} if schemas else {}) | {"securitySchemes": SECURITY}
        return {"openapi": "3.0.0", "info": INFO, "paths": paths, "components": components}

    def version2(self) -> Tree:
        """Everything in one document."""
        paths: Tree = {f"/{key}/": plain_path(key) for key in (*PLAIN_PATHS, "api", "apis")}
        schemas: dict[str, Tree] = {}
        for group, versions in self._groups().items():
            if group in groups() and group:
                paths[f"/apis/{group}/"] = plain_path(f"apis/{group}")
            for version, resources in versions.items():
                root = f"/apis/{group}/{version}" if group else f"/api/{version}"
                paths |= dict(paths_of(root, resources))
                schemas |= self._extra(group, version, _V2, True)
        roots = [name.removeprefix(_V3) for name in references(paths)]
        roots += [name.removeprefix(_V2) for name in references(schemas)]
        schemas |= {name: rendered(name, _V2, defaults=False) for name in closure(roots)}
        own = as_swagger(INFO, dict(sorted(paths.items())), dict(sorted(schemas.items())), SECURITY)
        return merged(own, self._elsewhere.parts())


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha512(body).hexdigest().upper()}"'


def _answered(
    ctx: RequestContext, made: tuple[bytes, str, datetime], content_type: str, *headers: tuple[str, str]
) -> Response:
    body, etag, since = made
    return conditional(ctx.request, Response(200, body, content_type, list(headers)), since, etag)


def _takes_json(ctx: RequestContext) -> bool:
    accept = ctx.request.headers.get("accept", "")
    return not accept or any(media in accept for media in ("json", "*/*", "application/*"))


def _is_first(ctx: RequestContext, *types: str) -> bool:
    """Whether one of the types is what the client wants most."""
    return ctx.request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip() in types


def _keep_kinds(schema: Tree, group: str, version: str) -> None:
    """Of a kind that is there in many groups, a document tells what is its own."""
    kinds: list[Tree] = schema.get("x-kubernetes-group-version-kind") or []
    own = [one for one in kinds if (one["group"], one["version"]) in ((group, version), ("", "v1"))]
    if own and len(own) < len(kinds):
        schema["x-kubernetes-group-version-kind"] = own
