"""Ingresses to routes: which backend serves a host and a path. Pure.

Rules are those of the Ingress API: an exact host before a wildcard (which stands for one label) before rules without
a host; in it the longest path, `Exact` before `Prefix`; prefixes match whole elements. Of two Ingresses that claim the
same, the older has it, and the younger is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from pybernetes.api.regexp import RegexpError, compiled
from pybernetes.api.types import networking_v1 as networking
from pybernetes.ingress.annotations import Options, options_of


class Backend(Struct, frozen=True):
    """A port of a service; `port` is its name, or its number as text."""

    namespace: str
    service: str
    port: str

    @property
    def name(self) -> str:
        return f"{self.namespace}/{self.service}"


class Match(Protocol):
    """What of a regular expression's match is needed; groups that took no part are None."""

    def group(self) -> str: ...
    def groups(self) -> tuple[str | None, ...]: ...


class Pattern(Protocol):
    """A regular expression, which matches from a text's beginning."""

    def match(self, text: str, /) -> Match | None: ...


class Route(Struct, frozen=True):
    """Where requests go that match a path. With a `pattern`, that decides and not the path itself.

    `rewrite` makes the path that the backend gets: texts, and numbers of the pattern's groups. Empty for no change.
    """

    ingress: str
    path: str
    backend: Backend
    options: Options
    secured: bool = False
    pattern: Pattern | None = None
    rewrite: tuple[str | int, ...] = ()


class Problem(Struct, frozen=True):
    """What somebody has to know about an Ingress: an event's reason and message."""

    reason: str
    message: str


class Host(Struct):
    """The rules of one host."""

    exact: dict[str, Route] = field(default_factory=dict)
    prefixes: dict[str, Route] = field(default_factory=dict)
    patterns: list[Route] = field(default_factory=list)
    default: Route | None = None

    def find(self, path: str) -> Route | None:
        """The route of the longest path that matches."""
        if path in self.exact:
            return self.exact[path]
        found = self._by_prefix(path)
        for route in self.patterns:
            if found is not None and len(found.path) >= len(route.path):
                break
            if route.pattern is not None and route.pattern.match(path):
                return route
        return found

    def routes(self) -> Iterator[Route]:
        """Every route, the default too."""
        yield from self.exact.values()
        yield from self.prefixes.values()
        yield from self.patterns
        if self.default is not None:
            yield self.default

    def _by_prefix(self, path: str) -> Route | None:
        while True:
            found = self.prefixes.get(path)
            if found is not None or not path:
                return found
            path = path[: path.rindex("/")] if "/" in path else ""


class Table(Struct):
    """The rules of all Ingresses. Secrets and problems are by `namespace/name`, secrets' keys are hosts."""

    hosts: dict[str, Host] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    problems: dict[str, list[Problem]] = field(default_factory=dict)

    def find(self, host: str, path: str) -> Route | None:
        """The route for a host (lower case, without a port) and an unescaped path."""
        known = [self.hosts[name] for name in names_of(host) if name in self.hosts]
        routes = (each.find(path) for each in known)
        found = next((route for route in routes if route is not None), None)
        return found or next((each.default for each in known if each.default is not None), None)

    def secret_of(self, host: str) -> str:
        """The secret with the certificate of a host; empty if no Ingress names one."""
        return next((self.secrets[name] for name in names_of(host) if name in self.secrets), "")

    def routes(self) -> Iterator[Route]:
        for host in self.hosts.values():
            yield from host.routes()

    def secured(self) -> set[str]:
        """Every secret that is named."""
        return set(self.secrets.values())


def names_of(host: str) -> tuple[str, str, str]:
    """The names under which rules for a host may stand, the best first."""
    return host, "*." + host.partition(".")[2], ""


def build(ingresses: Iterable[networking.Ingress]) -> Table:
    """The table of these Ingresses, which are all of a class that is ours."""
    table = Table()
    for ingress in sorted(ingresses, key=_age):
        _Builder(table, ingress).add()
    for host in table.hosts.values():
        host.patterns.sort(key=lambda route: -len(route.path))
    return table


def key_of(ingress: networking.Ingress) -> str:
    return f"{ingress.metadata.namespace}/{ingress.metadata.name}"


def _age(ingress: networking.Ingress) -> tuple[str, str]:
    return str(ingress.metadata.creation_timestamp or ""), key_of(ingress)


class _Builder:
    """Adds one Ingress to a table."""

    def __init__(self, table: Table, ingress: networking.Ingress) -> None:
        self._table, self._ingress, self._key = table, ingress, key_of(ingress)
        self._options, complaints = options_of(ingress.metadata.annotations)
        self._problems = [Problem("UnsupportedAnnotation", complaint) for complaint in complaints]
        self._hosts = [(rule.host or "").lower() for rule in ingress.spec.rules]
        self._secured = {host.lower() for tls in ingress.spec.tls for host in tls.hosts or self._hosts or [""]}

    def add(self) -> None:
        table, spec = self._table, self._ingress.spec
        for host, rule in zip(self._hosts, spec.rules, strict=True):
            entry = table.hosts.setdefault(host, Host())
            for path in rule.http.paths if rule.http else ():
                self._add_path(host, entry, path)
        if spec.default_backend is not None and (backend := self._backend(spec.default_backend)) is not None:
            for host in dict.fromkeys((*self._hosts, "")):
                entry = table.hosts.setdefault(host, Host())
                entry.default = entry.default or Route(self._key, "", backend, self._options, self._is_secured(host))
        for tls in spec.tls:
            for host in tls.hosts or self._hosts or [""]:
                if tls.secret_name:
                    table.secrets.setdefault(host.lower(), f"{self._ingress.metadata.namespace}/{tls.secret_name}")
        if self._problems:
            table.problems[self._key] = self._problems

    def _add_path(self, host: str, entry: Host, path: networking.HTTPIngressPath) -> None:
        backend = self._backend(path.backend)
        if backend is None:
            return
        text = path.path or "/"
        secured = self._is_secured(host)
        if path.path_type != "Exact" and (self._options.use_regex or self._options.rewrite_target):
            self._add_pattern(entry, Route(self._key, text, backend, self._options, secured))
            return
        exact = path.path_type == "Exact"
        text = text if exact else text.rstrip("/")
        known = entry.exact if exact else entry.prefixes
        holder = known.setdefault(text, Route(self._key, text, backend, self._options, secured))
        if holder.ingress != self._key:
            where = f"{host or '*'}{text or '/'}"
            self._problem("PathConflict", f"{where} is served by Ingress {holder.ingress}, which is older")

    def _is_secured(self, host: str) -> bool:
        return any(name in self._secured for name in names_of(host))

    def _add_pattern(self, entry: Host, route: Route) -> None:
        """Regular expressions match from the path's beginning, in either case, as nginx' do.

        RE2 takes a time that grows with the path's length and no more: no Ingress can hold up the others' requests.
        """
        try:
            pattern = compiled(route.path, ignore_case=True)
        except RegexpError as error:
            self._problem("InvalidPath", f"path {route.path!r} is no regular expression that can be used: {error}")
            return
        entry.patterns.append(replace(route, pattern=pattern, rewrite=parts_of(route.options.rewrite_target)))

    def _backend(self, backend: networking.IngressBackend) -> Backend | None:
        if backend.service is None:
            named = f"{backend.resource.kind} {backend.resource.name}" if backend.resource else "nothing"
            self._problem("UnsupportedBackend", f"backend {named}: only services can be backends")
            return None
        port = backend.service.port
        text = (port.name or str(port.number or "")) if port else ""
        return Backend(self._ingress.metadata.namespace or "", backend.service.name, text)

    def _problem(self, reason: str, message: str) -> None:
        self._problems.append(Problem(reason, message))


def parts_of(target: str) -> tuple[str | int, ...]:
    """A rewrite target (`/new/$1`) as texts and the numbers of groups."""
    parts = re.split(r"\$(\d)", target)
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts) if part)


def rewritten(route: Route, path: str) -> str:
    """The path that the backend gets; groups that took no part, or do not exist, are empty."""
    found = route.pattern.match(path) if route.pattern is not None else None
    if found is None or not route.rewrite:
        return path
    groups = dict(enumerate((found.group(), *found.groups())))
    made = "".join(part if isinstance(part, str) else groups.get(part) or "" for part in route.rewrite)
    return made if made.startswith("/") else f"/{made}"
