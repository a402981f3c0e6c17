"""Classes of devices."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.resource_names import is_extended
from pybernetes.api.tree import Tree
from pybernetes.api.validation.devices import GROUP, MAX_CONFIG, SPEC, configuration, each, selectors
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable


def _class(device_class: Tree) -> Errors:
    spec = device_class["spec"]
    yield from selectors(spec.get("selectors"), SPEC.child("selectors"))
    yield from each(spec.get("config"), SPEC.child("config"), MAX_CONFIG, configuration)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended(name):
        detail = "must be a valid extended resource name"
        yield field.invalid(SPEC.child("extendedResourceName"), name, detail)


RULES: RulesTable = {(GROUP, "deviceclasses"): Rules(_class, name=names.declared_subdomain, whole_looks=1)}
