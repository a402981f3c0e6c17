"""Warnings for resources that upstream, or their definition, asks everybody to leave behind."""

from __future__ import annotations

from typing import Final

from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.handlers.patching import PATCHES
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.negotiate import is_routed
from pybernetes.telemetry.metrics import Gauge
from pybernetes.telemetry.metrics import Registry as Metrics

DEPRECATED: Final = {
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
}


def _builtin(ctx: RequestContext) -> str:
    """What is said of a resource that is built in; "" of none, and to who takes nothing that it is told in."""
    info = ctx.info
    text = DEPRECATED.get((info.api_group, info.api_version, info.resource), "")
    is_path = len(info.parts) < 3 and (len(info.parts) > 1) == (info.verb in ("get", "update", "patch", "delete"))
    headers = ctx.request.headers
    is_read = info.verb != "patch" or headers.get("content-type", "").partition(";")[0].strip() in PATCHES
    return text if text and is_path and is_read and is_routed(headers.get("accept", "")) else ""


class WarnDeprecated:
    """Every request that such a resource takes is answered with a warning, whatever its outcome, if it is allowed at all."""

    def __init__(self, metrics: Metrics) -> None:
        self._requested = Gauge(
            "apiserver_requested_deprecated_apis",
            "Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, "
            "and removed_release.",
            ("group", "version", "resource", "subresource", "removed_release"),
        )
        metrics.add(self._requested)

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        info = ctx.info
        resource = ctx.services.registry.find(info.api_group, info.api_version, info.resource)
        if resource is not None and info.verb in resource.verbs and ctx.request.method != "HEAD":
            text = resource.deprecation or _builtin(ctx)
            if text:
                ctx.warn(text)
                ctx.audit["k8s.io/deprecated"] = "true"
                subresource = info.subresource if info.subresource in resource.subresources else ""
                self._requested.set(1, info.api_group, info.api_version, info.resource, subresource, "")
        return await proceed(ctx)
