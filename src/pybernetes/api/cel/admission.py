"""Expressions of admission: what policies and match conditions may name (KEP-3488, KEP-3716, KEP-3962)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct, structs

from pybernetes.api.cel.environment import Environment, Program
from pybernetes.api.cel.errors import CompileError
from pybernetes.api.cel.functions import Functions, function, walks
from pybernetes.api.cel.library import authorizer
from pybernetes.api.cel.types import BOOL, DYN, NULL, STRING, Type, list_of, map_of, object_of

CALL_LIMIT: Final = 1_000_000
_GROUP_VERSION_KIND: Final = object_of(
    "kubernetes.GroupVersionKind", {"group": STRING, "version": STRING, "kind": STRING}
)
_GROUP_VERSION_RESOURCE: Final = object_of(
    "kubernetes.GroupVersionResource", {"group": STRING, "version": STRING, "resource": STRING}
)
_USER: Final = object_of(
    "kubernetes.UserInfo",
    {"username": STRING, "uid": STRING, "groups": list_of(STRING), "extra": map_of(STRING, list_of(STRING))},
)
REQUEST: Final = object_of(
    "kubernetes.AdmissionRequest",
    {
        "kind": _GROUP_VERSION_KIND, "resource": _GROUP_VERSION_RESOURCE, "subResource": STRING,
        "requestKind": _GROUP_VERSION_KIND, "requestResource": _GROUP_VERSION_RESOURCE, "requestSubResource": STRING,
        "name": STRING, "namespace": STRING, "operation": STRING, "userInfo": _USER, "dryRun": BOOL, "options": DYN,
    },
)  # fmt: skip
_NAMESPACE: Final = object_of(
    "kubernetes.Namespace",
    {
        "metadata": object_of(
            "kubernetes.NamespaceMetadata",
            {
                "name": STRING, "generateName": STRING, "namespace": STRING, "labels": map_of(STRING, STRING),
                "annotations": map_of(STRING, STRING), "UID": STRING, "creationTimestamp": DYN,
                "deletionGracePeriodSeconds": DYN, "deletionTimestamp": DYN, "generation": DYN, "resourceVersion": STRING,
                "finalizers": list_of(STRING),
            },
        ),
        "spec": object_of("kubernetes.NamespaceSpec", {"finalizers": list_of(STRING)}),
        "status": object_of("kubernetes.NamespaceStatus", {"phase": STRING}),
    },
)  # fmt: skip

_AUTHORIZER: Final[Mapping[str, Type]] = {
    "authorizer": authorizer.AUTHORIZER, "authorizer.requestResource": authorizer.RESOURCE,
}  # fmt: skip
CONDITION_VARIABLES: Final[Mapping[str, Type]] = {
    "object": DYN, "oldObject": DYN, "request": REQUEST, "namespaceObject": _NAMESPACE, **_AUTHORIZER,
}  # fmt: skip
"""What match conditions may name; those of a webhook find no `namespaceObject`."""

# What mutations have more. Of `Object{...}` and its parts in an apply configuration the
# schema decides when it is applied.
_PATCH_TYPES: Final[Mapping[str, Type]] = {
    "Object{}": Type("object", name="Object"),
    "JSONPatch{}": object_of("JSONPatch", {"op": STRING, "path": STRING, "from": STRING, "value": DYN}),
}
_PATCH_LIBRARY: Final[Functions] = {
    "jsonpatch.escapeKey": [
        function(STRING, to=STRING, do=lambda key: key.replace("~", "~0").replace("/", "~1"), cost=walks(0))
    ]
}


class Expression(Struct, frozen=True):
    """A compiled expression, or why it is none."""

    source: str
    program: Program | None
    error: str = ""


def compile_expression(environment: Environment, source: str, wanted: Sequence[Type]) -> Expression:
    """`wanted` are the types that its value may have: what is only known when it is evaluated is none of them."""
    try:
        program = environment.compile(source)
    except CompileError as error:
        return Expression(source, None, error.reason)
    if any((program.type.kind, str(program.type)) == (each.kind, str(each)) for each in wanted):
        return Expression(source, program)
    shown = str(wanted[0]) if len(wanted) == 1 else f"one of [{' '.join(map(shown_type, wanted))}]"
    return Expression(source, None, f"must evaluate to {shown} but got {shown_type(program.type)}")


def shown_type(type_: Type) -> str:
    """What cel-go calls it, which is not what it calls it in what does not compile."""
    return type_.kind if type_ == NULL else str(type_)


def compile_condition(environment: Environment, source: str) -> Expression:
    return compile_expression(environment, source, [BOOL])


def conditions_environment(*, params: bool = False) -> Environment:
    """Of the match conditions of webhooks, and with `params` of policies that have parameters."""
    return Environment({**CONDITION_VARIABLES, **({"params": DYN} if params else {})})


class PolicyExpressions(Struct, frozen=True):
    """All of a policy's expressions, of either kind of policy."""

    conditions: Mapping[str, Expression]
    variables: Mapping[str, Expression]
    environment: Environment

    @classmethod
    def of(cls, spec: Mapping[str, Any], types: Mapping[str, Type] = MappingProxyType({})) -> PolicyExpressions:
        """A variable sees those before it. `types` are those of objects, where they are known."""
        names = {**CONDITION_VARIABLES, **types}
        if spec.get("paramKind"):
            names["params"] = DYN
        conditions = {
            each["name"]: compile_condition(Environment(names), each["expression"])
            for each in spec.get("matchConditions") or ()
        }
        fields: dict[str, Type] = {}
        found: dict[str, Expression] = {}
        for each in spec.get("variables") or ():
            variables = object_of("kubernetes.variables", dict(fields))
            environment = Environment({**names, "variables": variables})
            try:
                program = environment.compile(each["expression"])
                found[each["name"]] = Expression(each["expression"], program)
                fields[each["name"]] = _declared(program.type)
            except CompileError as error:
                found[each["name"]] = Expression(each["expression"], None, error.reason)
                if each["expression"].strip():
                    fields[each["name"]] = DYN
        if spec.get("variables") or spec.get("mutations"):
            names["variables"] = object_of("kubernetes.variables", fields)
        if spec.get("mutations"):
            return cls(conditions, found, Environment({**names, **_PATCH_TYPES}, (_PATCH_LIBRARY,)))
        return cls(conditions, found, Environment(names))


def _declared(type_: Type) -> Type:
    """What is known of a variable of that type: nothing of objects."""
    if type_.kind in ("object", "opaque", "type", "optional_type"):
        return DYN
    return replace(type_, parameters=tuple(map(_declared, type_.parameters)))


class Validation(Struct, frozen=True):
    """One expression that must be true, and what is said where it is not."""

    condition: Expression
    message: str
    message_expression: Expression | None
    reason: str


def compile_validations(spec: Mapping[str, Any], environment: Environment) -> Iterator[Validation]:
    """The validations of a policy; what is wrong with an expression is part of it. Messages cannot ask the authorizer."""
    names = {name: type_ for name, type_ in environment.variables.items() if name not in _AUTHORIZER}
    for_messages = structs.replace(environment, variables=names)
    for each in spec.get("validations") or ():
        expression = each.get("messageExpression")
        message = None
        if expression:
            message = compile_expression(for_messages, expression, [STRING])
        condition = compile_condition(environment, each["expression"])
        yield Validation(condition, each.get("message", "").strip(), message, each.get("reason") or "Invalid")


def compile_annotations(spec: Mapping[str, Any], environment: Environment) -> list[Expression]:
    """The values of a policy's audit annotations."""
    given = spec.get("auditAnnotations") or ()
    return [compile_expression(environment, each["valueExpression"], [STRING, NULL]) for each in given]


class Mutation(Struct, frozen=True):
    """One change; `is_patch` tells a JSON patch from an apply configuration."""

    expression: Expression
    is_patch: bool


def compile_mutations(spec: Mapping[str, Any], environment: Environment) -> Iterator[Mutation]:
    """The mutations of a policy; what is wrong with an expression is part of it."""
    for each in spec.get("mutations") or ():
        is_patch = each.get("patchType") == "JSONPatch"
        source = (each.get("jsonPatch" if is_patch else "applyConfiguration") or {}).get("expression", "")
        yield Mutation(_compile_mutation(environment, source, is_patch), is_patch)


def _compile_mutation(environment: Environment, source: str, is_patch: bool) -> Expression:
    try:
        program = environment.compile(source)
    except CompileError as error:
        return Expression(source, None, error.reason)
    wanted = "list(JSONPatch)" if is_patch else "Object"
    if str(program.type) == wanted:
        return Expression(source, program)
    return Expression(source, None, f"must evaluate to {wanted} but got {shown_type(program.type)}")
