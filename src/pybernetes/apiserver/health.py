"""/livez, /readyz and /healthz, as a whole and check by check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.pages import Page, text
from pybernetes.telemetry.metrics import Counter, Gauge, Registry

Check: TypeAlias = Callable[[], str]
"""What is wrong, or "" if nothing is."""
ALIVE: Final = frozenset(("livez", "healthz"))
READY: Final = frozenset(("readyz",))
"""The page that tells whether to send requests here, the others whether to restart."""

BEFORE_SERVING: Final = (
    "start-apiserver-admission-initializer", "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer", "priority-and-fairness-filter", "storage-object-count-tracker-hook",
    "start-system-namespaces-controller", "peer-endpoint-reconciler-controller",
    "start-cluster-authentication-info-controller", "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector", "storage-readiness",
    "start-legacy-token-tracking-controller", "start-service-ip-repair-controllers", "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes", "priority-and-fairness-config-producer", "bootstrap-controller",
    "start-kubernetes-service-cidr-controller", "start-kube-aggregator-informers",
)  # fmt: skip
"""What upstream's hooks do after the start is done here before the first request is answered: the checks are there for
those who look for their names."""
DEFINITIONS: Final = ("start-apiextensions-informers", "start-apiextensions-controllers", "crd-informer-synced")
"""What stands while definitions of custom resources are followed."""
API_SERVICES: Final = (
    "apiservice-status-local-available-controller", "apiservice-status-remote-available-controller",
    "apiservice-registration-controller", "apiservice-wait-for-first-sync", "apiservice-discovery-controller",
    "kube-apiserver-autoregistration", "apiservice-openapi-controller", "apiservice-openapiv3-controller",
)  # fmt: skip
"""What stands while APIServices are kept."""
_HOOKS: Final = (*BEFORE_SERVING[:5], *DEFINITIONS, *BEFORE_SERVING[5:], *API_SERVICES)
_ORDER: Final = {name: place for place, name in enumerate((
    "ping", "log", "loopback-serving-certificate", "etcd", "etcd-readiness", "informer-sync",
    *(f"poststarthook/{name}" for name in _HOOKS[:-2]), "autoregister-completion",
    *(f"poststarthook/{name}" for name in _HOOKS[-2:]), "shutdown",
))}  # fmt: skip
"""Where each check stands on the pages; others come behind these."""


class Health:
    """The checks by name."""

    def __init__(self) -> None:
        self.slis = Registry()
        """What /metrics/slis tells: how the checks came out, whenever they were asked for."""
        self._last = Gauge("kubernetes_healthcheck", "This metric records the result of a single healthcheck.", ("name", "type"))  # fmt: skip
        self._all = Counter("kubernetes_healthchecks_total", "This metric records the results of all healthcheck.", ("name", "type", "status"))  # fmt: skip
        self.slis.add(self._last, self._all)
        self.draining = False
        """The server ends, and is to get no new requests."""
        self._checks: dict[str, tuple[Check, frozenset[str]]] = {}
        self.add("ping", lambda: "")
        self.add("log", lambda: "")
        self.add("loopback-serving-certificate", lambda: "", pages=ALIVE)
        self.add("shutdown", lambda: "process is shutting down" if self.draining else "", pages=READY)

    def add(self, name: str, check: Check, *, pages: frozenset[str] = ALIVE | READY) -> None:
        """`pages` that the check is on."""
        self._checks[name] = check, pages
        self._checks = dict(sorted(self._checks.items(), key=lambda entry: _ORDER.get(entry[0], len(_ORDER))))

    def add_hooks(self, names: Sequence[str], check: Check) -> None:
        for name in names:
            self.add(f"poststarthook/{name}", check)

    def paths(self) -> list[str]:
        """Of all pages."""
        roots = sorted(ALIVE | READY)
        checks = [f"/{root}/{name}" for root in roots for name, (_, pages) in self._checks.items() if root in pages]
        return [*(f"/{root}" for root in roots), *checks]

    def find(self, path: str) -> Page | None:
        """The page of /livez, /readyz, /healthz or of one check below; None for other paths."""
        root, slash, name = path[1:].partition("/")
        if root not in ALIVE | READY:
            return None
        checks = {name: check for name, (check, pages) in self._checks.items() if root in pages}
        if not slash:
            return lambda ctx: self._page(ctx, root, checks)
        if name not in checks:
            return lambda ctx: text(404, "404 page not found\n")
        return lambda ctx: _one(checks[name])

    def _page(self, ctx: RequestContext, root: str, checks: dict[str, Check]) -> Answer:
        excluded = set(ctx.request.query.get("exclude", []))
        lines: list[str] = []
        failed = False
        for name, check in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
                continue
            wrong = check()
            self._last.set(0 if wrong else 1, name, root)
            self._all.inc(name, root, "error" if wrong else "success")
            failed = failed or bool(wrong)
            lines.append(f"[-]{name} failed: reason withheld" if wrong else f"[+]{name} ok")
        unknown = excluded - checks.keys()
        if unknown:
            shown = ",".join(f'"{name}"' for name in sorted(unknown))
            lines.append(f"warn: some health checks cannot be excluded: no matches for {shown}")
        if failed:
            return text(500, "\n".join([*lines, f"{root} check failed", ""]))
        if "verbose" in ctx.request.query:
            return text(200, "\n".join([*lines, f"{root} check passed", ""]))
        return text(200, "ok")


def _one(check: Check) -> Answer:
    wrong = check()
    return text(500, f"internal server error: {wrong}\n") if wrong else text(200, "ok", sniffed=True)
