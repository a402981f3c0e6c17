"""Probes and lifecycle hooks."""

from __future__ import annotations

import re

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative, one_of, port_number, port_number_or_name
from pybernetes.api.validation.kinds import Errors

_HEADER = re.compile("[-A-Za-z0-9]+")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def validate_probes(container: Tree, grace: int, path: Path) -> Errors:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        at = path.child(name)
        yield from _validate_probe(probe, grace, at)
        if name != "readinessProbe":
            if probe.get("successThreshold", 0) != 1:
                yield field.invalid(at.child("successThreshold"), probe.get("successThreshold", 0), "must be 1")
        elif probe.get("terminationGracePeriodSeconds") is not None:
            seconds = probe["terminationGracePeriodSeconds"]
            yield field.invalid(
                at.child("terminationGracePeriodSeconds"), seconds, "must not be set for readinessProbes"
            )


def _validate_probe(probe: Tree, grace: int, path: Path) -> Errors:
    yield from _validate_handler(probe, grace, path)
    yield from non_negative(
        probe, path, "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"
    )
    seconds = probe.get("terminationGracePeriodSeconds")
    if seconds is not None and seconds <= 0:
        yield field.invalid(path.child("terminationGracePeriodSeconds"), seconds, "must be greater than 0")


def validate_lifecycle(lifecycle: Tree | None, grace: int, path: Path) -> Errors:
    if not lifecycle:
        return
    for name in ("postStart", "preStop"):
        if lifecycle.get(name) is not None:
            yield from _validate_handler(lifecycle[name], grace, path.child(name))


def _validate_handler(handler: Tree, grace: int, path: Path) -> Errors:
    """Exactly one way to do it."""
    count = 0
    for name in _HANDLERS:
        action = handler.get(name)
        if action is None:
            continue
        count += 1
        if count > 1:
            yield field.forbidden(path.child(name), "may not specify more than 1 handler type")
        elif name == "sleep":
            yield from _validate_sleep(action, grace, path.child("sleep"))
        else:
            yield from _ACTIONS[name](action, path.child(name))
    if not count:
        yield field.required(path, "must specify a handler type")


def _validate_exec(action: Tree, path: Path) -> Errors:
    if not action.get("command"):
        yield field.required(path.child("command"))


def _validate_http_get(action: Tree, path: Path) -> Errors:
    if not action.get("path"):
        yield field.required(path.child("path"))
    yield from port_number_or_name(action["port"], path.child("port"))
    yield from one_of(action.get("scheme"), path.child("scheme"), ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or ():
        if not _HEADER.fullmatch(header["name"]):
            detail = names.regex_complaint(
                "a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", "X-Header-Name"
            )
            yield field.invalid(path.child("httpHeaders"), header["name"], detail)


def _validate_tcp_socket(action: Tree, path: Path) -> Errors:
    yield from port_number_or_name(action["port"], path.child("port"))


def _validate_grpc(action: Tree, path: Path) -> Errors:
    yield from port_number(action["port"], path.child("port"))


def _validate_sleep(action: Tree, grace: int, path: Path) -> Errors:
    seconds = action["seconds"]
    if not 0 <= seconds <= grace:
        detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        yield field.invalid(path, seconds, detail)


_ACTIONS = {
    "exec": _validate_exec,
    "httpGet": _validate_http_get,
    "tcpSocket": _validate_tcp_socket,
    "grpc": _validate_grpc,
}
