"""Everything that is no object: discovery, versions, health, metrics, OpenAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from pybernetes.api.errors import method_not_allowed, page_not_found
from pybernetes.api.scheme import group_versions
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.negotiate import clauses, no_representation

Page: TypeAlias = Callable[[RequestContext], Answer | Awaitable[Answer]]
Finder: TypeAlias = Callable[[str], Page | None]


class Pages:
    """Whatever the method, unless a page looks at it itself. Pages by their path, and finders for those whose paths come and go."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._finders: list[Finder] = []
        self._unlisted: set[str] = {"/"}
        self._documented: tuple[str, ...] = ()

    def add(self, path: str, page: Page, *, listed: bool = True) -> None:
        """`listed`: in the index of all."""
        self._pages[path] = page
        if not listed:
            self._unlisted.add(path)

    def add_resource(self, path: str, page: Page, *media_types: str) -> None:
        """A page that upstream documents with its API: there is GET alone, in one of the media types if any are given."""

        def got(ctx: RequestContext) -> Answer | Awaitable[Answer]:
            if ctx.request.method != "GET":
                raise method_not_allowed()
            accept = ctx.request.headers.get("accept", "").strip()
            if media_types and accept and not any(one in ("*/*", *media_types) for one, _ in clauses(accept)):
                raise no_representation(media_types)
            return page(ctx)

        self._pages[path] = got
        self._documented += (f"{path}/",)

    def add_finder(self, finder: Finder) -> None:
        """`finder(path)` gives the page of a path, or None; asked in the order of adding."""
        self._finders.append(finder)

    async def __call__(self, ctx: RequestContext) -> Answer:
        path = ctx.request.path
        bare = path.rstrip("/") or path
        page = self._pages.get(bare)
        if page is None:
            page = next((found for finder in self._finders if (found := finder(path)) is not None), None)
        if page is None:
            if _is_api(bare) or bare.startswith(self._documented):
                raise page_not_found()
            return not_found()
        answer = page(ctx)
        return await answer if isinstance(answer, Awaitable) else answer

    @property
    def paths(self) -> list[str]:
        """Those of the pages, without what finders find."""
        return sorted(self._pages)

    @property
    def listed(self) -> list[str]:
        """Those that the index of all names."""
        return sorted(self._pages.keys() - self._unlisted)


def _is_group(name: str) -> bool:
    """Whether a group is built in, and has paths of its own."""
    return name != "" and bool(group_versions(name))


def _is_api(path: str) -> bool:
    """Whether a path lies below the core group or another one that is built in: its absence is told in JSON there."""
    first, _, rest = path[1:].partition("/")
    return bool(rest) and (first == "api" or (first == "apis" and "/" in rest and _is_group(rest.partition("/")[0])))


def not_found() -> Response:
    """What no page and no resource is at."""
    return text(404, "404 page not found\n")


NO_SNIFFING = ("x-content-type-options", "nosniff")
"""A browser is to take the answer for nothing else than it says to be."""


def text(status: int, body: str, *, sniffed: bool = False) -> Response:
    """A page of plain text; errors and a few others say that they are nothing else."""
    return Response(status, body.encode(), "text/plain; charset=utf-8", [] if sniffed else [NO_SNIFFING])
