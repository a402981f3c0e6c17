"""Ingresses and ingress classes."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import parse_ip, validate_ip
from pybernetes.api.validation.common import immutable, port_number
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain, validate_domain_prefixed_path

_GROUP = "networking.k8s.io"
_SPEC = Path("spec")
_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_SUFFIXES = ("/..", "/.")
_SCOPES = ("Cluster", "Namespace")


def _create(ingress: Tree) -> Errors:
    spec = ingress["spec"]
    yield from _validate_spec(spec)
    annotation, named = (ingress["metadata"].get("annotations") or {}).get(_ANNOTATION), spec.get("ingressClassName")
    if annotation and named and annotation != named:
        detail = "must match `ingressClassName` when both are specified"
        yield field.invalid(ROOT.child("annotations").child(_ANNOTATION), annotation, detail)


def _validate_spec(spec: Tree) -> Errors:
    backend, rules = spec.get("defaultBackend"), spec.get("rules") or []
    if backend is not None:
        yield from _validate_backend(backend, _SPEC.child("defaultBackend"))
    elif not rules:
        words = "either `defaultBackend` or `rules` must be specified"
        yield field.invalid(_SPEC, None, words, at=_SPEC.child("rules"))
    for index, rule in enumerate(rules):
        yield from _validate_rule(rule, _SPEC.child("rules").index(index))
    for index, tls in enumerate(spec.get("tls") or ()):
        if secret := tls.get("secretName"):
            yield from complain(
                _SPEC.child("tls").index(index).child("secretName"), secret, names.dns1123_subdomain(secret)
            )
        for number, host in enumerate(tls.get("hosts") or ()):
            at = _SPEC.child("tls").index(index).child("hosts").index(number)
            yield from complain(at, host, _host_format(host))
    named = spec.get("ingressClassName")
    if named is not None:
        yield from complain(_SPEC.child("ingressClassName"), named, names.dns1123_subdomain(named))


def _host_format(host: str) -> tuple[str, ...]:
    return names.wildcard_dns1123_subdomain(host) if "*" in host else names.dns1123_subdomain(host)


def _validate_rule(rule: Tree, path: Path) -> Errors:
    host = rule.get("host", "")
    if host:
        if parse_ip(host) is not None:
            yield field.invalid(path.child("host"), host, "must be a DNS name, not an IP address")
        else:
            yield from complain(path.child("host"), host, _host_format(host))
    http = rule.get("http")
    if http is None:
        return
    paths = http.get("paths") or []
    if not paths:
        yield field.required(path.child("http", "paths"))
    for index, one in enumerate(paths):
        yield from _validate_path(one, path.child("http", "paths").index(index))


def _validate_path(one: Tree, path: Path) -> Errors:
    kind, value = one.get("pathType"), one.get("path", "")
    if kind is None:
        yield field.required(path.child("pathType"), "pathType must be specified")
        return
    if kind in ("Exact", "Prefix"):
        yield from _validate_exact_path(value, path.child("path"))
    elif kind == "ImplementationSpecific":
        if value and not value.startswith("/"):
            yield field.invalid(path.child("path"), value, "must be an absolute path")
    else:
        yield field.not_supported(path.child("pathType"), kind, _PATH_TYPES)
    yield from _validate_backend(one["backend"], path.child("backend"))


def _validate_exact_path(value: str, path: Path) -> Errors:
    if not value.startswith("/"):
        yield field.invalid(path, value, "must be an absolute path")
    if not value:
        return
    for sequence in _BAD_SEQUENCES:
        if sequence in value:
            yield field.invalid(path, value, f"must not contain '{sequence}'")
    for suffix in _BAD_SUFFIXES:
        if value.endswith(suffix):
            yield field.invalid(path, value, f"cannot end with '{suffix}'")


def _validate_backend(backend: Tree, path: Path) -> Errors:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield field.invalid(path, "", "cannot set both resource and service backends")
    elif service is None and resource is None:
        yield field.invalid(path, "", "resource or service backend is required")
    elif resource is not None:
        group = resource.get("apiGroup")
        if group is not None:
            yield from complain(path.child("resource", "apiGroup"), group, names.dns1123_subdomain(group))
        for name in ("kind", "name"):
            if not resource.get(name):
                yield field.required(path.child("resource", name))
            else:
                yield from complain(path.child("resource", name), resource[name], names.path_segment(resource[name]))
    elif service is not None:
        yield from _validate_service_backend(service, path)


def _validate_service_backend(service: Tree, path: Path) -> Errors:
    name = service.get("name", "")
    if not name:
        yield field.required(path.child("service", "name"))
    else:
        yield from complain(path.child("service", "name"), name, names.dns1123_label(name))
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        yield field.invalid(path, "", "cannot set both port name & port number")
    elif port.get("name"):
        yield from complain(path.child("service", "port", "name"), port["name"], names.port_name(port["name"]))
    elif port.get("number"):
        yield from port_number(port["number"], path.child("service", "port", "number"))
    else:
        yield field.required(path, "port name or number is required")


def _update_status(new: Tree, old: Tree) -> Errors:
    path = Path("status").child("loadBalancer", "ingress")
    for index, entry in enumerate(((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()):
        if entry.get("ip"):
            yield from validate_ip(entry["ip"], path.index(index).child("ip"))
        host = entry.get("hostname")
        if host:
            if parse_ip(host) is not None:
                yield field.invalid(path.index(index).child("hostname"), host, "must be a DNS name, not an IP address")
            yield from complain(path.index(index).child("hostname"), host, names.dns1123_subdomain(host))


def _create_class(ingress_class: Tree) -> Errors:
    spec = ingress_class.get("spec") or {}
    controller = spec.get("controller", "")
    if len(controller) > 250:
        yield field.too_long(_SPEC.child("controller"), 250)
    yield from validate_domain_prefixed_path(controller, _SPEC.child("controller"))
    if spec.get("parameters") is not None:
        yield from _validate_parameters(spec["parameters"], _SPEC.child("parameters"))


def _validate_parameters(parameters: Tree, path: Path) -> Errors:
    group = parameters.get("apiGroup")
    if group is not None:
        yield from complain(path.child("apiGroup"), group, names.dns1123_subdomain(group))
    for name in ("kind", "name"):
        if not parameters.get(name):
            yield field.required(path.child(name))
        else:
            yield from complain(path.child(name), parameters[name], names.path_segment(parameters[name]))
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        yield field.required(path.child("scope"))
    elif scope not in _SCOPES:
        yield field.not_supported(path.child("scope"), scope, _SCOPES)
    elif scope == "Namespace":
        if namespace is None:
            yield field.required(path.child("namespace"), "`parameters.scope` is set to 'Namespace'")
        else:
            yield from complain(path.child("namespace"), namespace, names.dns1123_label(namespace))
    elif namespace is not None:
        yield field.forbidden(path.child("namespace"), "`parameters.scope` is set to 'Cluster'")


def _update_class(new: Tree, old: Tree) -> Errors:
    controller = new["spec"].get("controller") or ""
    yield from immutable(controller, old["spec"].get("controller") or "", _SPEC.child("controller"))


RULES: RulesTable = {
    (_GROUP, "ingresses"): Rules(_create, subresources={"status": _update_status}, whole_looks=1),
    (_GROUP, "ingressclasses"): Rules(_create_class, _update_class, whole_looks=1),
}
