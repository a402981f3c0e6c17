"""/, /statusz and /flagz: what is served, since when, and with which flags (KEPs 4827 and 4828).

As text for people, whose separators change so that nobody reads it by program, or as objects of `config.k8s.io`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Final

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.api.errors import not_acceptable
from pybernetes.api.scheme import API_LEVEL
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.negotiate import JSON, YAML, clauses, matches, no_representation
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.pages import text
from pybernetes.apiserver.yaml import to_yaml
from pybernetes.telemetry.zpages import flags_text, runtime_version, shown_flags, status_text

TEXT: Final = "text/plain"
OFFERED: Final = (JSON, YAML, TEXT)
GROUP: Final = "config.k8s.io"
NAME: Final = "apiserver"
PLAIN: Final = frozenset(("apis", "api", "openid", "openapi", ".well-known", "index.html"))
"""Paths that are not for debugging."""


def index_page(paths: Callable[[], Iterable[str]]) -> Callable[[RequestContext], Answer]:
    """All paths that there are, as an object of no kind."""

    def page(ctx: RequestContext) -> Answer:
        listed = msgspec.json.encode({"paths": sorted(set(paths()))})
        return Response(200, msgspec.json.format(listed, indent=2), JSON)

    return page


class StatusPage:
    """`paths` gives those that the server lists."""

    def __init__(self, clock: Clock, paths: Callable[[], Iterable[str]]) -> None:
        self._clock = clock
        self._began = clock.now().replace(microsecond=0)
        self._paths = paths

    def __call__(self, ctx: RequestContext) -> Answer:
        version = _version(ctx, "Statusz")
        seconds = max(0, int((self._clock.now() - self._began).total_seconds()))
        folders = {path.split("/")[1] for path in self._paths()} - PLAIN - {""}
        paths = [f"/{folder}" for folder in sorted(folders)]
        if version:
            told = {
                "startTime": self._began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "uptimeSeconds": seconds,
                "goVersion": runtime_version(), "binaryVersion": f"{API_LEVEL}.0", "emulationVersion": API_LEVEL, "paths": paths,
            }  # fmt: skip
            return _object(ctx, "Statusz", version, told)
        return text(200, status_text(NAME, API_LEVEL, self._began, seconds, paths), sniffed=True)


def flags_page(options: Options) -> Callable[[RequestContext], Answer]:
    """Every flag with its value."""
    flags = shown_flags(options)

    def page(ctx: RequestContext) -> Answer:
        if version := _version(ctx, "Flagz"):
            return _object(ctx, "Flagz", version, {"flags": dict(sorted(flags.items()))})
        return text(200, flags_text(NAME, flags), sniffed=True)

    return page


def _version(ctx: RequestContext, kind: str) -> str:
    """Of the object that the client wants; "" for text. Raises StatusError."""
    accept = ctx.request.headers.get("accept", "").strip()
    if not accept:
        return ""
    known = False
    for media, parameters in clauses(accept):
        for offered in OFFERED:
            if not matches(media, offered):
                continue
            known = True
            wanted = parameters.get("as", ""), parameters.get("g", ""), parameters.get("v", "")
            if offered == TEXT and wanted == ("", "", ""):
                return ""
            if offered != TEXT and wanted in ((kind, GROUP, "v1beta1"), (kind, GROUP, "v1alpha1")):
                return wanted[2]
    raise not_acceptable(OFFERED) if known else no_representation(OFFERED)


def _object(ctx: RequestContext, kind: str, version: str, told: Tree) -> Answer:
    if version == "v1alpha1":
        ctx.warn(f"This version of the {kind.lower()} endpoint is deprecated. Please use a newer version.")
    made = {"kind": kind, "apiVersion": f"{GROUP}/{version}", "metadata": {"name": NAME}, **told}
    if any(
        matches(media, YAML) and not matches(media, JSON) for media, _ in clauses(ctx.request.headers["accept"])[:1]
    ):
        return Response(200, to_yaml(made), YAML)
    return Response(200, msgspec.json.encode(made) + b"\n", JSON)
