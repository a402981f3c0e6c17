"""The pages of a component beside the API server: health, metrics, configuration, flags, under upstream's paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.aio.http_server import Answer, Handler, Request, RequestError, text
from pybernetes.api.scheme import API_LEVEL
from pybernetes.telemetry.metrics import CONTENT_TYPE, Counter, Gauge, Registry
from pybernetes.telemetry.zpages import flags_text, shown_flags, status_text

METRICS_TYPE = CONTENT_TYPE
ROOTS = ("healthz", "livez", "readyz")

Check = Callable[[], str]
"""What is wrong, or "" if nothing is."""


class Component:
    """What a process tells of itself; `config_name` is under which /configz tells the options."""

    def __init__(
        self,
        name: str,
        config_name: str,
        options: Any,
        clock: Clock,
        *,
        more: Mapping[str, Handler] | None = None,
    ) -> None:
        """`more` are pages beside those that all have."""
        self.name, self.config_name, self.options, self.clock = name, config_name, options, clock
        self.metrics = Registry()
        self.checks: dict[str, Check] = {"ping": lambda: ""}
        self.more = more or {}
        self._began = self.clock.now().replace(microsecond=0)
        self._last = Gauge("kubernetes_healthcheck", "This metric records the result of a single healthcheck.", ("name", "type"))  # fmt: skip
        self._all = Counter("kubernetes_healthchecks_total", "This metric records the results of all healthcheck.", ("name", "type", "status"))  # fmt: skip
        self._slis = Registry()
        self._slis.add(self._last, self._all)

    def routes(self) -> dict[str, Handler]:
        """Handlers by method and path."""
        made: dict[str, Handler] = {}
        for root in ROOTS:
            made[f"GET /{root}"] = self._health(root)
            made[f"GET /{root}/{{check}}"] = self._health(root)
        return {
            **made,
            "GET /metrics": self._metrics,
            "GET /metrics/slis": self._show_slis,
            "GET /configz": self._configz,
            "GET /flagz": self._flagz,
            "GET /statusz": self._statusz,
            **self.more,
        }

    def _health(self, root: str) -> Handler:
        async def answer(request: Request) -> Answer:
            wanted = request.names.get("check")
            if wanted is not None and wanted not in self.checks:
                raise RequestError(404, "404 page not found")
            chosen = self.checks if wanted is None else {wanted: self.checks[wanted]}
            found = {name: check() for name, check in chosen.items()}
            for name, wrong in found.items():
                self._last.set(0 if wrong else 1, name, root)
                self._all.inc(name, root, "error" if wrong else "success")
            return _health_answer(root, found, verbose="verbose" in request.head.query)

        return answer

    async def _metrics(self, request: Request) -> Answer:
        return Answer(self.metrics.render().encode(), METRICS_TYPE)

    async def _show_slis(self, request: Request) -> Answer:
        return Answer(self._slis.render().encode(), METRICS_TYPE)

    async def _configz(self, request: Request) -> Answer:
        settings = {_camel(one.name): getattr(self.options, one.name) for one in dataclasses.fields(self.options)}
        return Answer(msgspec.json.encode({self.config_name: settings}), "application/json")

    async def _flagz(self, request: Request) -> Answer:
        _refuse_other_than_text(request)
        return text(flags_text(self.name, shown_flags(self.options)))

    async def _statusz(self, request: Request) -> Answer:
        _refuse_other_than_text(request)
        paths = sorted({f"/{route.split('/')[1]}" for route in self.routes()})
        seconds = int((self.clock.now() - self._began).total_seconds())
        return text(status_text(self.name, API_LEVEL, self._began, max(0, seconds), paths))


def _health_answer(root: str, found: Mapping[str, str], *, verbose: bool) -> Answer:
    lines = [f"[-]{name} failed: reason withheld" if wrong else f"[+]{name} ok" for name, wrong in found.items()]
    if any(found.values()):
        return text("\n".join([*lines, f"{root} check failed", ""]), 500)
    return text("\n".join([*lines, f"{root} check passed", ""]) if verbose else "ok")


def _refuse_other_than_text(request: Request) -> None:
    accept = request.head.header("accept")
    if accept and not any(one.split(";")[0].strip() in ("text/plain", "text/*", "*/*") for one in accept.split(",")):
        raise RequestError(406, "only the following media types are accepted: text/plain")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
