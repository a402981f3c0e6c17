"""Storage classes and volume attributes classes."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import IMMUTABLE, immutable, one_of, shown_map
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_GROUP = "storage.k8s.io"
_MAX_PARAMETERS, _MAX_SIZE = 512, 256 * 1024
_RECLAIM = ("Delete", "Retain")
_BINDING = ("Immediate", "WaitForFirstConsumer")


def _create(storage_class: Tree) -> Errors:
    yield from _validate_provisioner(storage_class.get("provisioner", ""), ROOT.child("provisioner"))
    yield from _validate_parameters(storage_class.get("parameters") or {}, ROOT.child("parameters"))
    policy = storage_class.get("reclaimPolicy")
    if policy:
        yield from one_of(policy, ROOT.child("reclaimPolicy"), _RECLAIM)
    mode = storage_class.get("volumeBindingMode")
    if mode is None:
        yield field.required(ROOT.child("volumeBindingMode"))
    elif mode not in _BINDING:
        yield field.not_supported(ROOT.child("volumeBindingMode"), mode, _BINDING)
    known: list[dict[str, list[str]]] = [{}]
    for index, term in enumerate(storage_class.get("allowedTopologies") or ()):
        path = ROOT.child("allowedTopologies").index(index)
        yield from _validate_topology(term, path)
        selected = {one["key"]: sorted(set(one.get("values") or ())) for one in term.get("matchLabelExpressions") or ()}
        if selected in known:
            yield field.duplicate(path.child("matchLabelExpressions"), "")
        known.append(selected)


def _validate_provisioner(name: str, path: Path) -> Errors:
    if not name:
        yield field.required(path)
    else:
        yield from complain(path, name.lower(), names.qualified_name(name.lower()))


def _validate_parameters(parameters: dict[str, str], path: Path) -> Errors:
    if len(parameters) > _MAX_PARAMETERS:
        yield field.too_long(path, _MAX_PARAMETERS)
        return
    if "" in parameters:
        yield field.invalid(path, "", "field can not be empty.")
    if sum(len(key) + len(value) for key, value in parameters.items()) > _MAX_SIZE:
        yield field.too_long(path, _MAX_SIZE)


def _validate_topology(term: Tree, path: Path) -> Errors:
    taken: set[str] = set()
    for index, requirement in enumerate(term.get("matchLabelExpressions") or ()):
        at = path.child("matchLabelExpressions").index(index)
        values = requirement.get("values") or []
        if not values:
            yield field.required(at.child("values"))
        for number, value in enumerate(values):
            if value in values[:number]:
                yield field.duplicate(at.child("values").index(number), value)
        yield from complain(at.child("key"), requirement["key"], names.qualified_name(requirement["key"]))
        if requirement["key"] in taken:
            yield field.duplicate(at.child("key"), requirement["key"])
        taken.add(requirement["key"])


def _update(new: Tree, old: Tree) -> Errors:
    parameters = new.get("parameters")
    if parameters != old.get("parameters"):
        shown = None if parameters is None else shown_map(parameters)
        yield field.invalid(ROOT.child("parameters"), shown, IMMUTABLE)
    for name in ("provisioner", "reclaimPolicy", "volumeBindingMode"):
        yield from immutable(new.get(name), old.get(name), ROOT.child(name))


def _create_attributes(attributes: Tree) -> Errors:
    yield from _validate_provisioner(attributes.get("driverName", ""), ROOT.child("driverName"))
    parameters = attributes.get("parameters") or {}
    if not parameters:
        yield field.required(ROOT.child("parameters"), "must contain at least one key/value pair")
    yield from _validate_parameters(parameters, ROOT.child("parameters"))


def _update_attributes(new: Tree, old: Tree) -> Errors:
    for name in ("driverName", "parameters"):
        if new.get(name) != old.get(name):
            yield field.forbidden(ROOT.child(name), f"updates to {name} are forbidden.")
    yield from _create_attributes(new)


RULES: RulesTable = {
    (_GROUP, "storageclasses"): Rules(_create, _update, whole_looks=1),
    (_GROUP, "volumeattributesclasses"): Rules(
        _create_attributes, _update_attributes, update_is_whole=True, whole_looks=1
    ),
}
