"""Which Ingresses are ours. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.types import networking_v1 as networking

CONTROLLER = "pybernetes.io/ingress"
NAME = "pybernetes"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
LEGACY_CLASS = "kubernetes.io/ingress.class"


def class_of(ingress: networking.Ingress) -> str:
    """The name of its class, in the field or in the annotation from before there was one; empty for none."""
    return ingress.spec.ingress_class_name or ingress.metadata.annotations.get(LEGACY_CLASS, "")


def is_ours(ingress: networking.Ingress, classes: Iterable[networking.IngressClass]) -> bool:
    """Those of a class of our controller, and those without any while such a class is the default."""
    ours = [each for each in classes if each.spec.controller == CONTROLLER]
    name = class_of(ingress)
    if name:
        return any(each.metadata.name == name for each in ours)
    return any(each.metadata.annotations.get(DEFAULT_CLASS) == "true" for each in ours)
