"""Admission policies and their bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import label_selector, one_of, require
from pybernetes.api.validation.conditions import validate_conditions
from pybernetes.api.validation.kinds import Create, Errors, Rules, RulesTable, Update
from pybernetes.api.validation.match_conditions import validate_match_conditions
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.webhooks import validate_rule

if TYPE_CHECKING:
    from pybernetes.api.cel.admission import Expression

_GROUP = "admissionregistration.k8s.io"
_SPEC = Path("spec")
RESERVED = frozenset({
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
    "loop", "package", "namespace", "return", "var", "void", "while",
})  # fmt: skip
"""Words of CEL that can name nothing."""
_FAILURE = ("Fail", "Ignore")
_ACTIONS = ("Audit", "Deny", "Warn")
_NOT_FOUND = ("Deny", "Allow")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_MUTABLE = ("*", "CONNECT", "CREATE", "UPDATE")
_MOST_AUDITS = 20
_PATCHES = ("ApplyConfiguration", "JSONPatch")


def _created(validate: Create) -> Create:
    def rules(policy: Tree) -> Errors:
        yield from validate(policy)
        yield from _validate_conditions(policy["spec"])

    return rules


def _updated(validate: Create) -> Update:
    """Match conditions that stay what they were are not judged again: what is in force stays so."""

    def rules(new: Tree, old: Tree) -> Errors:
        yield from validate(new)
        if any(new["spec"].get(name) != old["spec"].get(name) for name in ("paramKind", "matchConditions")):
            yield from _validate_conditions(new["spec"])

    return rules


def _validate_conditions(spec: Tree) -> Errors:
    conditions, params = spec.get("matchConditions") or [], bool(spec.get("paramKind"))
    yield from validate_match_conditions(conditions, _SPEC.child("matchConditions"), params=params)


def _validating(policy: Tree) -> Errors:
    spec = policy["spec"]
    yield from _validate_common(spec)
    validations, audits = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not validations and not audits:
        for name in ("validations", "auditAnnotations"):
            detail = "validations or auditAnnotations must contain at least one item"
            yield field.required(_SPEC.child(name), detail)
    for index, validation in enumerate(validations):
        yield from _validate_validation(validation, _SPEC.child("validations").index(index))
    if len(audits) > _MOST_AUDITS:
        shown = [{"Key": audit["key"], "ValueExpression": audit.get("valueExpression", "")} for audit in audits]
        detail = f"must not have more than {_MOST_AUDITS} auditAnnotations"
        yield field.invalid(_SPEC.child("auditAnnotations"), shown, detail)
    for index, audit in enumerate(audits):
        at = _SPEC.child("auditAnnotations").index(index)
        yield from _validate_annotation_key(policy["metadata"].get("name", ""), audit["key"], at.child("key"))
        if any(audit["key"] == earlier["key"] for earlier in audits[:index]):
            yield field.duplicate(at.child("key"), audit["key"])
        if not audit.get("valueExpression", "").strip():
            yield field.required(at.child("valueExpression"), "valueExpression is not specified")

    yield from _validate_expressions(spec)


def _validate_annotation_key(policy: str, key: str, path: Path) -> Errors:
    """The audit log has the key behind the policy's name."""
    if policy:
        whole = f"{policy}/{key}"
        yield from complain(path, whole, names.qualified_name(whole))
    else:
        yield field.invalid(path, key, "requires metadata.name be non-empty")


def _validate_expressions(spec: Tree) -> Errors:
    """What does not compile is refused here; what fails with some objects only, fails with these."""
    from pybernetes.api.cel.admission import (
        PolicyExpressions,
        compile_annotations,
        compile_mutations,
        compile_validations,
    )

    expressions = PolicyExpressions.of(spec)
    for index, expression in enumerate(expressions.variables.values()):
        if expression.error and expression.source.strip():
            at = _SPEC.child("variables").index(index).child("expression")
            yield field.invalid(at, expression.source, expression.error)
    for index, annotation in enumerate(compile_annotations(spec, expressions.environment)):
        if annotation.error and annotation.source.strip():
            at = _SPEC.child("auditAnnotations").index(index).child("valueExpression")
            yield field.invalid(at, annotation.source, annotation.error)
    for index, mutation in enumerate(compile_mutations(spec, expressions.environment)):
        if mutation.expression.error and mutation.expression.source.strip():
            form = "jsonPatch" if mutation.is_patch else "applyConfiguration"
            at = _SPEC.child("mutations").index(index).child(form, "expression")
            yield field.invalid(at, mutation.expression.source, mutation.expression.error)
    for index, validation in enumerate(compile_validations(spec, expressions.environment)):
        at = _SPEC.child("validations").index(index)
        parts: dict[str, Expression | None] = {
            "expression": validation.condition,
            "messageExpression": validation.message_expression,
        }
        for name, part in parts.items():
            if part is not None and part.error and part.source.strip():
                yield field.invalid(at.child(name), part.source, part.error)


def _validate_validation(validation: Tree, path: Path) -> Errors:
    if not validation.get("expression", "").strip():
        yield field.required(path.child("expression"), "expression is not specified")
    for name in ("message", "messageExpression"):
        text = validation.get(name, "")
        if text and not text.strip():
            yield field.invalid(path.child(name), text, "must be non-empty if specified")
        elif name == "message" and "\n" in text.strip():
            yield field.invalid(path.child(name), text, "must not contain line breaks")
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        yield field.not_supported(path.child("reason"), reason, _REASONS)


def _mutating(policy: Tree) -> Errors:
    spec = policy["spec"]
    yield from _validate_common(spec)
    mutations = spec.get("mutations") or []
    if not mutations:
        yield field.required(_SPEC.child("mutations"), "mutations must contain at least one item")
    for index, mutation in enumerate(mutations):
        at = _SPEC.child("mutations").index(index)
        yield from _validate_mutation(mutation, at)
    if not spec.get("reinvocationPolicy"):
        yield field.required(_SPEC.child("reinvocationPolicy"))
    else:
        yield from one_of(spec["reinvocationPolicy"], _SPEC.child("reinvocationPolicy"), ("IfNeeded", "Never"))
    yield from _validate_mutable(spec.get("matchConstraints") or {}, _SPEC.child("matchConstraints"))
    yield from _validate_expressions(spec)


def _validate_mutation(mutation: Tree, path: Path) -> Errors:
    kind = mutation.get("patchType")
    yield from one_of(kind, path.child("patchType"), _PATCHES)
    forms = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
    for form_kind, form in forms.items() if kind in forms else ():
        told = mutation.get(form)
        if form_kind == kind and told is None:
            yield field.required(path.child(form), f"must be specified when patchType is {kind}")
        elif form_kind == kind and told is not None and not told.get("expression", "").strip():
            yield field.required(path.child(form, "expression"))
        elif form_kind != kind and told is not None:
            yield field.invalid(path.child(form), f"{{{form}}}", f"must not be specified when patchType is {kind}")


def _validate_param_kind(param: Tree, path: Path) -> Errors:
    api_version, kind = param.get("apiVersion", ""), param.get("kind", "")
    group, version = split_api_version(api_version)
    at = path.child("apiVersion")
    if not api_version:
        yield field.required(at)
    elif api_version.count("/") > 1:
        yield field.invalid(at, api_version, f"unexpected GroupVersion string: {api_version}")
    else:
        if group and (complaints := names.dns1123_subdomain(group)):
            yield field.invalid(at, group, ",".join(complaints))
        if not version:
            yield field.invalid(at, api_version, "version must be specified")
        elif complaints := names.dns1035_label(version):
            yield field.invalid(at, version, ",".join(complaints))
    if not kind:
        yield field.required(path.child("kind"))
    elif complaints := names.dns1035_label(kind.lower()):
        detail = f"may have mixed case, but should otherwise match: {','.join(complaints)}"
        yield field.invalid(path.child("kind"), kind, detail)


def _validate_common(spec: Tree) -> Errors:
    """What both kinds of policies say: when they apply, and what happens where they fail."""
    yield from _chosen(spec, "failurePolicy", _SPEC, _FAILURE)
    if spec.get("paramKind") is not None:
        yield from _validate_param_kind(spec["paramKind"], _SPEC.child("paramKind"))
    constraints = spec.get("matchConstraints")
    if constraints is None:
        yield field.required(_SPEC.child("matchConstraints"))
    else:
        if not constraints.get("resourceRules"):
            yield field.required(_SPEC.child("matchConstraints", "resourceRules"))
        yield from _validate_match(constraints, _SPEC.child("matchConstraints"))
    for index, variable in enumerate(spec.get("variables") or ()):
        yield from _validate_variable(variable, _SPEC.child("variables").index(index))


def _validate_match(match: Tree, path: Path) -> Errors:
    yield from _chosen(match, "matchPolicy", path, ("Equivalent", "Exact"))
    for name in ("namespaceSelector", "objectSelector"):
        yield from label_selector(match.get(name), path.child(name))
    for name in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(name) or ()):
            at, resource_names = path.child(name).index(index), rule.get("resourceNames") or []
            for number, resource_name in enumerate(resource_names):
                where = at.child("resourceNames").index(number)
                yield from complain(where, resource_name, names.path_segment(resource_name))
                if resource_name in resource_names[:number]:
                    yield field.duplicate(where, resource_name)
            yield from validate_rule(rule, at)


def _validate_variable(variable: Tree, path: Path) -> Errors:
    name = variable.get("name", "")
    if not name.strip():
        yield field.required(path.child("name"), "name is not specified")
    elif names.c_identifier(name) or name in RESERVED:
        yield field.invalid(path.child("name"), name, "must be a valid CEL identifier")
    if not variable.get("expression", "").strip():
        yield field.required(path.child("expression"), "expression is not specified")


def _chosen(tree: Tree, name: str, path: Path, supported: tuple[str, ...]) -> Errors:
    """A choice that has a default: it is there, though perhaps empty."""
    if tree.get(name) is None:
        yield field.required(path.child(name))
    elif tree[name] not in supported:
        yield field.not_supported(path.child(name), tree[name], supported)


def _validating_binding(binding: Tree) -> Errors:
    yield from _validate_binding(binding)
    actions = binding["spec"].get("validationActions") or []
    path = _SPEC.child("validationActions")
    if not actions:
        yield field.required(path, "at least one validation action is required")
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            yield field.not_supported(path.index(index), action, _ACTIONS)
        if action in actions[:index]:
            yield field.duplicate(path.index(index), action)
    if {"Deny", "Warn"} <= set(actions):
        detail = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        yield field.invalid(path, actions, detail)


def _mutating_binding(binding: Tree) -> Errors:
    yield from _validate_binding(binding)
    yield from _validate_mutable(binding["spec"].get("matchResources") or {}, _SPEC.child("matchResources"))


def _validate_mutable(match: Tree, path: Path) -> Errors:
    """What is deleted cannot be changed before."""
    for rule in match.get("resourceRules") or ():
        for operation in rule.get("operations") or ():
            if operation not in _MUTABLE:
                yield field.not_supported(path.child("resourceRules", "operations"), operation, _MUTABLE)


def _validate_binding(binding: Tree) -> Errors:
    spec = binding["spec"]
    policy = spec.get("policyName", "")
    if not policy:
        yield field.required(_SPEC.child("policyName"))
    else:
        yield from complain(_SPEC.child("policyName"), policy, names.dns1123_subdomain(policy))
    if spec.get("paramRef") is not None:
        yield from _validate_parameters(spec["paramRef"], _SPEC.child("paramRef"))
    if spec.get("matchResources") is not None:
        yield from _validate_match(spec["matchResources"], _SPEC.child("matchResources"))


def _validate_parameters(ref: Tree, path: Path) -> Errors:
    name, selector = ref.get("name", ""), ref.get("selector")
    both = bool(name) and selector is not None
    if name:
        yield from complain(path.child("name"), name, names.path_segment(name))
    if both:
        yield field.forbidden(path.child("name"), "name and selector are mutually exclusive")
    yield from label_selector(selector, path.child("selector"))
    if both:
        yield field.forbidden(path.child("selector"), "name and selector are mutually exclusive")
    elif not name and selector is None:
        yield field.required(path, "one of name or selector must be specified")
    yield from one_of(ref.get("parameterNotFoundAction"), path.child("parameterNotFoundAction"), _NOT_FOUND)


def _update_status(new: Tree, old: Tree) -> Errors:
    status, path = new.get("status") or {}, Path("status")
    warnings = (status.get("typeChecking") or {}).get("expressionWarnings") or ()
    for index, warning in enumerate(warnings):
        yield from require(
            warning, path.child("typeChecking", "expressionWarnings").index(index), "fieldRef", "warning"
        )
    yield from validate_conditions(status.get("conditions") or [], path.child("conditions"))


RULES: RulesTable = {
    (_GROUP, "validatingadmissionpolicies"): Rules(
        _created(_validating),
        _updated(_validating),
        subresources={"status": _update_status},
        part_looks={"status": (0, 0)},
        update_is_whole=True,
        whole_looks=1,
        update_looks=0,
        plain_finalizers=True,
    ),
    (_GROUP, "mutatingadmissionpolicies"): Rules(
        _created(_mutating),
        _updated(_mutating),
        update_is_whole=True,
        whole_looks=1,
        update_looks=0,
        plain_finalizers=True,
    ),
    (_GROUP, "validatingadmissionpolicybindings"): Rules(
        _validating_binding, whole_looks=1, update_looks=0, plain_finalizers=True
    ),
    (_GROUP, "mutatingadmissionpolicybindings"): Rules(
        _mutating_binding, whole_looks=1, update_looks=0, plain_finalizers=True
    ),
}
