"""Type checks of a ValidatingAdmissionPolicy against the kinds that it is about: warnings, which change nothing (KEP-3488)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from pybernetes.api.cel.admission import PolicyExpressions
from pybernetes.api.cel.errors import CompileError
from pybernetes.api.cel.schema import type_of_schema, with_identity
from pybernetes.api.cel.types import DYN, Type

MAX_KINDS: Final = 10
"""Of so many kinds of a rule the schemas are looked at."""
_OPAQUE: Final[Mapping[str, Any]] = {"type": "object"}
"""An object of which nothing can be looked at."""
_SPECIAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "IntOrString": {"x-kubernetes-int-or-string": True},
    "Quantity": {},  # whose schema says no type: upstream's finds no such field
    "MicroTime": {"type": "string", "format": "date-time"},
    "FieldsV1": _OPAQUE,
    "RawExtension": _OPAQUE,
}
"""Definitions that are more than their properties say, by the last part of their names."""

Find: TypeAlias = Callable[[str], Mapping[str, Any] | None]
"""A definition by its name."""


class CheckedKind(Struct, frozen=True):
    """A kind with its schema, references resolved; None where nobody knows it."""

    api_version: str
    kind: str
    schema: Mapping[str, Any] | None

    def __str__(self) -> str:
        return f"{self.api_version if '/' in self.api_version else '/' + self.api_version}, Kind={self.kind}"

    @property
    def type(self) -> Type:
        return DYN if self.schema is None else type_of_schema(with_identity(self.schema)) or DYN


def resolved(schema: Mapping[str, Any], find: Find, seen: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """A schema with what it refers to put in its place; what contains itself ends there."""
    parts: list[Mapping[str, Any]] = schema.get("allOf") or []
    reference = schema.get("$ref") or (parts[0].get("$ref") if len(parts) == 1 else None)
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        special = _OPAQUE if name in seen else _SPECIAL.get(name.rpartition(".")[2])
        if special is not None:
            return special
        return resolved(find(name) or {}, find, (*seen, name))
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {key: resolved(below, find, seen) for key, below in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), Mapping):
            made[key] = resolved(made[key], find, seen)
    return made


def warnings(
    spec: Mapping[str, Any], kinds: Sequence[CheckedKind], params: CheckedKind | None
) -> Iterator[dict[str, str]]:
    """`status.typeChecking.expressionWarnings` of a policy."""
    environments = [(kind, _environment(spec, kind, params)) for kind in kinds if kind.schema is not None]
    for index, validation in enumerate(spec.get("validations") or ()):
        for name in ("expression", "messageExpression"):
            source = validation.get(name)
            if not source:
                continue
            found = []
            for kind, expressions in environments:
                try:
                    expressions.environment.compile(source)
                except CompileError as error:
                    found.append(f"{kind}: {error}\n")
            if found:
                yield {"fieldRef": f"spec.validations[{index}].{name}", "warning": "\n".join(found)}


def _environment(spec: Mapping[str, Any], kind: CheckedKind, params: CheckedKind | None) -> PolicyExpressions:
    types = {"object": kind.type, "oldObject": kind.type}
    if params is not None and params.schema is not None:
        types["params"] = params.type
    return PolicyExpressions.of({**spec, "paramKind": None}, types)
