"""Rules of a schema (`x-kubernetes-validations`), compiled once per schema (KEP-2876)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from pybernetes.api.cel.environment import Environment, Program
from pybernetes.api.cel.errors import CompileError, InstantiationError
from pybernetes.api.cel.schema import (  # fmt: skip
    Convert,
    Schema,
    converter,
    type_of_schema,
    with_identity,
)
from pybernetes.api.cel.types import Type, optional_of

RULE_LIMIT: Final = 10_000_000
SCHEMA_LIMIT: Final = 100_000_000
"""What the rules of one schema may cost together, by estimate."""

KEYWORD: Final = "x-kubernetes-validations"


class Rule(Struct, frozen=True):
    """A rule with its programs; one that does not compile has its error instead."""

    source: Mapping[str, Any]
    program: Program | None
    message: Program | None
    error: str = ""
    message_error: str = ""

    @property
    def is_transition(self) -> bool:
        """Whether it compares with the value before, and so is asked only where there is one."""
        return self.program is not None and self.program.uses("oldSelf")

    @property
    def takes_optional(self) -> bool:
        return bool(self.source.get("optionalOldSelf"))


def compile_rules(schema: Schema, self_type: Type) -> list[Rule]:
    """The rules at one place of a schema."""
    return [_compile(rule, self_type) for rule in schema.get(KEYWORD) or ()]


def _compile(source: Mapping[str, Any], self_type: Type) -> Rule:
    old = optional_of(self_type) if source.get("optionalOldSelf") else self_type
    environment = Environment({"self": self_type, "oldSelf": old})
    program, error = _try(environment, source.get("rule", ""), "bool", "cel expression must evaluate to a bool")
    message, message_error = None, ""
    if program is not None and source.get("messageExpression", "").strip():
        wrong = "messageExpression must evaluate to a string"
        message, message_error = _try(environment, source["messageExpression"], "string", wrong)
        if message_error and message_error != wrong:
            message_error = f"messageExpression {message_error.removeprefix('program ')}"
    return Rule(source, program, message, error, message_error)


def _try(environment: Environment, source: str, kind: str, wrong: str) -> tuple[Program | None, str]:
    try:
        program = environment.compile(source)
    except InstantiationError as error:
        return None, error.reason if error.type.kind == kind else wrong
    except CompileError as error:
        return None, error.reason
    if program.type.kind != kind:
        return None, wrong
    return program, ""


class RuleNode(Struct, frozen=True):
    """The rules of a schema and of what is below it; places without any are left out."""

    schema: Schema
    rules: Sequence[Rule]
    convert: Convert | None
    properties: Mapping[str, RuleNode]
    items: RuleNode | None
    others: RuleNode | None


def rule_tree(schema: Schema, *, root: bool = True) -> RuleNode | None:
    """None if there is no rule anywhere."""
    whole = with_identity(schema) if root else schema
    properties = {}
    for name, below in (schema.get("properties") or {}).items():
        if (found := rule_tree(below, root=False)) is not None:
            properties[name] = found
    items, others = _below(schema.get("items")), _below(schema.get("additionalProperties"))
    self_type = type_of_schema(whole) if schema.get(KEYWORD) else None
    rules = [] if self_type is None else compile_rules(schema, self_type)
    if not (rules or properties or items or others):
        return None
    return RuleNode(whole, rules, converter(whole) if rules else None, properties, items, others)


def _below(schema: object) -> RuleNode | None:
    return rule_tree(schema, root=False) if isinstance(schema, dict) else None


def times(schema: Schema, below: str) -> int | None:
    """How often what is below (`items`, `additionalProperties`) may occur for each value of the schema, if it says."""
    most: int | None = schema.get("maxItems" if below == "items" else "maxProperties")
    return most
