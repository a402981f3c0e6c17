"""Affinity, tolerations, topology spread: where a pod may run."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import label_selector, validate_operator
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_SPREAD_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSIONS = ("Honor", "Ignore")
_NODE_FIELDS = ("metadata.name",)


def validate_affinity(affinity: Tree, path: Path) -> Errors:
    if affinity.get("nodeAffinity") is not None:
        yield from _validate_node_affinity(affinity["nodeAffinity"], path.child("nodeAffinity"))
    for name in ("podAffinity", "podAntiAffinity"):
        if affinity.get(name) is not None:
            yield from _validate_pod_affinity(affinity[name], path.child(name))


def _validate_node_affinity(affinity: Tree, path: Path) -> Errors:
    if affinity.get(REQUIRED) is not None:
        yield from validate_node_selector(affinity[REQUIRED], path.child(REQUIRED))
    for index, term in enumerate(affinity.get(PREFERRED) or ()):
        at = path.child(PREFERRED).index(index)
        yield from _validate_weight(term, at)
        # Values that no label has are only warned of here: such a term just never counts.
        yield from validate_node_selector_term(term["preference"], at.child("preference"), any_value=True)


def _validate_weight(term: Tree, path: Path) -> Errors:
    if not 1 <= term["weight"] <= 100:
        yield field.invalid(path.child("weight"), term["weight"], "must be in the range 1-100")


def validate_node_selector(selector: Tree, path: Path) -> Errors:
    terms = selector.get("nodeSelectorTerms")
    if not terms:
        yield field.required(path.child("nodeSelectorTerms"), "must have at least one node selector term")
    for index, term in enumerate(terms or ()):
        yield from validate_node_selector_term(term, path.child("nodeSelectorTerms").index(index))


def validate_node_selector_term(term: Tree, path: Path, *, any_value: bool = False) -> Errors:
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        at = path.child("matchExpressions").index(index)
        yield from validate_operator(requirement, at, of_nodes=True)
        yield from complain(at.child("key"), requirement["key"], names.qualified_name(requirement["key"]))
        for number, value in enumerate((not any_value and requirement.get("values")) or ()):
            yield from complain(at.child("values").index(number), value, names.label_value(value))
    for index, requirement in enumerate(term.get("matchFields") or ()):
        yield from _validate_field_requirement(requirement, path.child("matchFields").index(index))


def _validate_field_requirement(requirement: Tree, path: Path) -> Errors:
    key, values = requirement["key"], requirement.get("values") or ()
    if requirement["operator"] in ("In", "NotIn"):
        if len(values) != 1:
            detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            yield field.required(path.child("values"), detail)
    else:
        yield field.invalid(path.child("operator"), requirement["operator"], "not a valid selector operator")
    if key not in _NODE_FIELDS:
        yield field.invalid(path.child("key"), key, "not a valid field selector key")
        return
    for index, value in enumerate(values):
        yield from complain(path.child("values").index(index), value, names.dns1123_subdomain(value))


def _validate_pod_affinity(affinity: Tree, path: Path) -> Errors:
    for index, term in enumerate(affinity.get(REQUIRED) or ()):
        yield from _validate_pod_affinity_term(term, path.child(REQUIRED).index(index))
    for index, weighted in enumerate(affinity.get(PREFERRED) or ()):
        at = path.child(PREFERRED).index(index)
        yield from _validate_weight(weighted, at)
        yield from _validate_pod_affinity_term(weighted["podAffinityTerm"], at.child("podAffinityTerm"))


def _validate_pod_affinity_term(term: Tree, path: Path) -> Errors:
    yield from label_selector(term.get("labelSelector"), path.child("labelSelector"))
    yield from label_selector(term.get("namespaceSelector"), path.child("namespaceSelector"))
    for namespace in term.get("namespaces") or ():
        yield from complain(path.child("namespace"), namespace, names.dns1123_label(namespace))
    yield from _validate_label_keys(term, path)
    key = term["topologyKey"]
    if not key:
        yield field.required(path.child("topologyKey"), "can not be empty")
    yield from complain(path.child("topologyKey"), key, names.qualified_name(key))


def _validate_label_keys(owner: Tree, path: Path) -> Errors:
    """Keys of a term or constraint; the selector has the conditions already that were made of them."""
    selector = owner.get("labelSelector")
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys, at = owner.get(name) or [], path.child(name)
        if keys and selector is None:
            yield field.forbidden(at, "must not be specified when labelSelector is not set")
            continue
        for index, key in enumerate(keys):
            yield from complain(at.index(index), key, names.qualified_name(key))
    matching, others = owner.get("matchLabelKeys") or [], owner.get("mismatchLabelKeys") or []
    yield from _validate_not_selected(matching, selector or {}, path)
    for index, key in enumerate(matching):
        if key in others:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield field.invalid(path.child("matchLabelKeys").index(index), key, detail)


def _validate_not_selected(keys: list[str], selector: Tree, path: Path) -> Errors:
    """Whoever gives a key has said of it what there is to say. (Upstream's path leaves out the field.)"""
    seen = set(selector.get("matchLabels") or ())
    for expression in selector.get("matchExpressions") or ():
        key = expression["key"]
        if key in seen and key in keys:
            yield field.invalid(path.index(keys.index(key)), key, "exists in both matchLabelKeys and labelSelector")
        seen.add(key)


def validate_tolerations(tolerations: list[Tree], path: Path) -> Errors:
    for index, toleration in enumerate(tolerations):
        at = path.index(index)
        key, operator, value = (toleration.get(name, "") for name in ("key", "operator", "value"))
        effect = toleration.get("effect", "")
        if key:
            yield from complain(at.child("key"), key, names.qualified_name(key))
        elif operator != "Exists":
            detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield field.invalid(at.child("operator"), operator, detail)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield field.invalid(at.child("effect"), effect, detail)
        yield from _validate_toleration_operator(operator, value, at)
        if effect and effect not in _EFFECTS:
            yield field.not_supported(at.child("effect"), effect, _EFFECTS)


def _validate_toleration_operator(operator: str, value: str, path: Path) -> Errors:
    if operator in ("", "Equal"):
        complaints = names.label_value(value)
        if complaints:
            yield field.invalid(path.child("operator"), value, ";".join(complaints))
    elif operator == "Exists":
        if value:
            yield field.invalid(path.child("operator"), value, "value must be empty when `operator` is 'Exists'")
    else:
        yield field.not_supported(path.child("operator"), operator, ("Equal", "Exists"))


def validate_taints(taints: list[Tree], path: Path) -> Errors:
    """The taints of a node."""
    taken: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = path.index(index)
        yield from complain(at.child("key"), taint["key"], names.qualified_name(taint["key"]))
        yield from complain(at.child("value"), taint.get("value", ""), names.label_value(taint.get("value", "")))
        effect = taint["effect"]
        if effect not in _EFFECTS:
            if effect:
                yield field.not_supported(at.child("effect"), effect, _EFFECTS)
            else:
                yield field.required(at.child("effect"))
        if (taint["key"], effect) in taken:
            shown = {
                "Key": taint["key"], "Value": taint.get("value", ""), "Effect": effect,
                "TimeAdded": taint.get("timeAdded"),
            }  # fmt: skip
            duplicate = field.duplicate(at, shown)
            yield field.FieldError(
                duplicate.kind, duplicate.field, shown, "taints must be unique by key and effect pair"
            )
        taken.add((taint["key"], effect))


def validate_topology_spread(constraints: list[Tree], path: Path) -> Errors:
    taken: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        at = path.index(index)
        key, action = constraint["topologyKey"], constraint["whenUnsatisfiable"]
        if constraint["maxSkew"] <= 0:
            yield field.invalid(at.child("maxSkew"), constraint["maxSkew"], "must be greater than zero")
        if not key:
            yield field.required(at.child("topologyKey"), "can not be empty")
        if action not in _SPREAD_ACTIONS:
            yield field.not_supported(at.child("whenUnsatisfiable"), action, _SPREAD_ACTIONS)
        if (key, action) in taken:
            yield field.duplicate(at.child("{topologyKey, whenUnsatisfiable}"), f"{{{key}, {action}}}")
        taken.add((key, action))
        yield from _validate_spread_options(constraint, at)


def _validate_spread_options(constraint: Tree, path: Path) -> Errors:
    domains = constraint.get("minDomains")
    if domains is not None:
        if domains <= 0:
            yield field.invalid(path.child("minDomains"), domains, "must be greater than zero")
        action = constraint["whenUnsatisfiable"]
        if action != "DoNotSchedule":
            detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            yield field.invalid(path.child("minDomains"), domains, detail)
    for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        policy = constraint.get(name)
        if policy is not None and policy not in _INCLUSIONS:
            yield field.not_supported(path.child(name), policy, _INCLUSIONS)
    yield from _validate_label_keys(constraint, path)
    yield from label_selector(constraint.get("labelSelector"), path.child("labelSelector"))


def validate_gates(gates: list[Tree], path: Path) -> Errors:
    taken: set[str] = set()
    for index, gate in enumerate(gates):
        yield from complain(path.index(index), gate["name"], names.qualified_name(gate["name"]))
        if gate["name"] in taken:
            yield field.duplicate(path.index(index), gate["name"])
        taken.add(gate["name"])
