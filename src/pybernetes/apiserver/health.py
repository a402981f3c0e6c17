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


BEFORE_SERVING: Final = tuple(f"poststarthook/{name}" for name in (
    "start-apiserver-admission-initializer", "generic-apiserver-start-informers", "rbac/bootstrap-roles",
    "storage-readiness", "priority-and-fairness-config-consumer", "priority-and-fairness-filter", "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer", "bootstrap-controller", "start-system-namespaces-controller",
    "start-cluster-authentication-info-controller", "start-service-ip-repair-controllers", "start-kube-aggregator-informers",
))  # fmt: skip
"""What upstream's hooks do after the start is done here before the first request is answered: the checks are there for
those who look for their names."""
DEFINITIONS: Final = tuple(f"poststarthook/{name}" for name in (
    "start-apiextensions-informers", "start-apiextensions-controllers", "crd-informer-synced",
))  # fmt: skip
"""What stands while definitions of custom resources are followed."""
API_SERVICES: Final = (*(f"poststarthook/{name}" for name in (
    "apiservice-status-local-available-controller", "apiservice-status-remote-available-controller",
    "apiservice-registration-controller", "apiservice-discovery-controller", "kube-apiserver-autoregistration",
    "apiservice-openapi-controller", "apiservice-openapiv3-controller",
)), "autoregister-completion")  # fmt: skip
"""What stands while APIServices are kept."""


class Health:
    """The checks by name; `ready_only` ones tell whether to send requests here, not whether to restart."""

    def __init__(self) -> None:
        self.slis = Registry()
        """What /metrics/slis tells: how the checks came out, whenever they were asked for."""
        self._last = Gauge("kubernetes_healthcheck", "This metric records the result of a single healthcheck.", ("name", "type"))  # fmt: skip
        self._all = Counter("kubernetes_healthchecks_total", "This metric records the results of all healthcheck.", ("name", "type", "status"))  # fmt: skip
        self.slis.add(self._last, self._all)
        self.draining = False
        """The server ends, and is to get no new requests."""
        self._checks: dict[str, tuple[Check, bool]] = {
            "ping": (lambda: "", False),
            "log": (lambda: "", False),
            "shutdown": (lambda: "process is shutting down" if self.draining else "", True),
        }

    def add(self, name: str, check: Check, *, ready_only: bool = False) -> None:
        self._checks[name] = (check, ready_only)

    def add_all(self, names: Sequence[str], check: Check) -> None:
        for name in names:
            self.add(name, check)

    def paths(self) -> list[str]:
        """Of all pages."""
        roots = {"/livez": False, "/readyz": True, "/healthz": False}
        return [
            *roots,
            *(
                f"{root}/{name}"
                for root, ready in roots.items()
                for name, (_, only) in self._checks.items()
                if ready or not only
            ),
        ]

    def find(self, path: str) -> Page | None:
        """The page of /livez, /readyz, /healthz or of one check below; None for other paths."""
        root = path.strip("/").partition("/")[0]
        if root not in ("livez", "readyz", "healthz"):
            return None
        checks = {
            name: check for name, (check, ready_only) in self._checks.items() if root == "readyz" or not ready_only
        }
        name = path.removeprefix(f"/{root}").strip("/")
        if not name:
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
            shown = ", ".join(f'"{name}"' for name in sorted(unknown))
            lines.append(f"warn: some health checks cannot be excluded: no matches for {shown}")
        if failed:
            return text(500, "\n".join([*lines, f"{root} check failed", ""]))
        if "verbose" in ctx.request.query:
            return text(200, "\n".join([*lines, f"{root} check passed", ""]))
        return text(200, "ok")


def _one(check: Check) -> Answer:
    wrong = check()
    return text(500, f"internal server error: {wrong}\n") if wrong else text(200, "ok")
