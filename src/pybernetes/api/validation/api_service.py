"""Aggregated APIs."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain, validate_told_name

_SPEC = Path("spec")
_PRIORITIES = {"groupPriorityMinimum": 20000, "versionPriority": 1000}


def _create(api_service: Tree) -> Errors:
    spec = api_service["spec"]
    group, version = spec.get("group", ""), spec.get("version", "")
    wanted = f"{version}.{group}"
    detail = f'must be `spec.version+"."+spec.group`: {field.quote(wanted)}'
    yield from validate_told_name(api_service["metadata"], wanted, detail, names.path_segment)
    if not group and version != "v1":
        yield field.required(_SPEC.child("group"), "only v1 may have an empty group and it better be legacy kube")
    elif group:
        yield from complain(_SPEC.child("group"), group, names.dns1123_subdomain(group))
    yield from complain(_SPEC.child("version"), version, names.dns1035_label(version))
    for key, highest in _PRIORITIES.items():
        value = spec.get(key, 0)
        if not 0 < value <= highest:
            yield field.invalid(_SPEC.child(key), value, f"must be positive and less than {highest}")
    yield from _validate_service(spec)


def _validate_service(spec: Tree) -> Errors:
    service, insecure, bundle = spec.get("service"), spec.get("insecureSkipTLSVerify"), spec.get("caBundle")
    path = _SPEC.child("service")
    if service is None:
        if bundle:
            yield field.invalid(
                _SPEC.child("caBundle"), f"{len(bundle)} bytes", "local APIServices may not have a caBundle"
            )
        if insecure:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            yield field.invalid(_SPEC.child("insecureSkipTLSVerify"), True, detail)
        return
    for key in ("namespace", "name"):
        if not service.get(key):
            yield field.required(path.child(key))
    port = service.get("port", 443)
    if names.port_number(port):
        yield field.invalid(path.child("port"), port, f"port is not valid: {names.port_number(port)[0]}")
    if insecure and bundle:
        detail = "may not be true if caBundle is present"
        yield field.invalid(_SPEC.child("insecureSkipTLSVerify"), True, detail)


RULES: RulesTable = {
    ("apiregistration.k8s.io", "apiservices"): Rules(
        _create,
        name=names.path_segment,
        subresources={"status": lambda new, old: iter(())},
        whole_looks=1,
        plain_finalizers=True,
    ),
}
