"""Ingresses: their class, and the services behind them."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import networking_v1
from pybernetes.explain import service, terminating
from pybernetes.explain.causes import Cause, Finding, merged
from pybernetes.explain.nearest import hint, nearest
from pybernetes.explain.snapshot import Snapshot, ref
from pybernetes.explain.terms import listed

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"


def explain(snapshot: Snapshot, ingress: networking_v1.Ingress) -> Finding:
    """An ingress from its class to the endpoints of its services."""
    if ingress.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, ingress)
    causes = merged([*_class(snapshot, ingress), *_secrets(snapshot, ingress), *_backends(snapshot, ingress)])
    hosts = listed([rule.host or "*" for rule in ingress.spec.rules]) or "*"
    facts = f"leads {hosts} to {listed(sorted({name for name, _ in backends(ingress)})) or 'nothing'}"
    return Finding(ref(ingress), facts, causes)


def backends(ingress: networking_v1.Ingress) -> Iterator[tuple[str, networking_v1.ServiceBackendPort | None]]:
    """The services that it names, with the port of each."""
    found = [ingress.spec.default_backend] if ingress.spec.default_backend else []
    found += [path.backend for rule in ingress.spec.rules for path in (rule.http.paths if rule.http else [])]
    for backend in found:
        if backend.service is not None:
            yield backend.service.name, backend.service.port


def _class(snapshot: Snapshot, ingress: networking_v1.Ingress) -> Iterator[Cause]:
    names = snapshot.names(networking_v1.IngressClass)
    name = ingress.spec.ingress_class_name or ingress.metadata.annotations.get(OLD_CLASS)
    given = [*nearest(name or "", names, 1), *_default_classes(snapshot), *names, "CLASS"]
    patch = f"""-p '{{"spec":{{"ingressClassName":"{given[0]}"}}}}'"""
    if not name:
        has = f"; there is {listed(names)}" if names else ", and there is no class"
        yield Cause(
            f"it names no ingressClassName, and no class is the default{has}",
            steps=(snapshot.command("patch", ref(ingress), patch),),
        )
    elif snapshot.is_missing(networking_v1.IngressClass, name):
        has = hint(name, names) or (
            f"; there is {listed(names)}" if names else "; there is none: no ingress controller is installed"
        )
        yield Cause(
            f"ingress class {name} does not exist{has}",
            steps=(snapshot.command("patch", ref(ingress), patch),) if names else ("kubectl get ingressclasses",),
        )


def _default_classes(snapshot: Snapshot) -> list[str]:
    found = snapshot.all(networking_v1.IngressClass)
    return [each.metadata.name or "" for each in found if each.metadata.annotations.get(DEFAULT_CLASS) == "true"]


def _secrets(snapshot: Snapshot, ingress: networking_v1.Ingress) -> Iterator[Cause]:
    namespace = ingress.metadata.namespace or ""
    for tls in ingress.spec.tls:
        if tls.secret_name and snapshot.is_missing(v1.Secret, tls.secret_name, namespace):
            what = f"secret {tls.secret_name} of its tls does not exist{hint(tls.secret_name, snapshot.names(v1.Secret, namespace))}"
            yield Cause(
                what,
                steps=(
                    f"kubectl create secret tls {tls.secret_name}{snapshot.within(namespace)} --cert=FILE --key=FILE",
                ),
            )


def _backends(snapshot: Snapshot, ingress: networking_v1.Ingress) -> Iterator[Cause]:
    namespace = ingress.metadata.namespace or ""
    edit = snapshot.command("edit", ref(ingress))
    for name, port in backends(ingress):
        found = snapshot.get(v1.Service, name, namespace)
        if found is None:
            if snapshot.is_missing(v1.Service, name, namespace):
                yield Cause(
                    f"service {name} does not exist{hint(name, snapshot.names(v1.Service, namespace))}", steps=(edit,)
                )
            continue
        numbers, names = [p.port for p in found.spec.ports], [p.name or "" for p in found.spec.ports]
        if port is not None and port.number and port.number not in numbers:
            has = f"; it has {', '.join(map(str, numbers))}" if numbers else " and no other"
            yield Cause(f"service {name} has no port {port.number}{has}", steps=(edit,))
        elif port is not None and port.name and port.name not in names:
            yield Cause(f"service {name} has no port called {port.name}{hint(port.name, names)}", steps=(edit,))
        elif (finding := service.explain(snapshot, found)).is_broken:
            yield finding.as_cause()
