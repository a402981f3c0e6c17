"""CEL rules of a custom resource's schema: their form, their expressions, and what they may cost."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec import field as attribute

from pybernetes.api import field
from pybernetes.api.field import FieldError, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors

if TYPE_CHECKING:
    from pybernetes.api.cel.rules import Rule

_KEYWORD: Final = "x-kubernetes-validations"
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_ADVICE: Final = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)
_UNTYPED: Final = (
    "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert "
    "structural schema to CEL declarations"
)
_MOST_EXPENSIVE: Final = 4
"""So many rules are named when all together cost too much."""
_EXPENSIVE: Final = 1_000_000
"""Rules below are not named: a hundredth of what a schema's rules may cost."""


class _Costs(Struct):
    """What the rules seen so far cost by estimate: all together, and each that costs much."""

    total: int = 0
    each: list[tuple[int, Path]] = attribute(default_factory=list)

    def add(self, cost: int, path: Path) -> None:
        self.total += cost
        if cost >= _EXPENSIVE:
            self.each.append((cost, path))


def has_rules(schema: Tree) -> bool:
    """Whether there is a rule anywhere in a schema."""
    below = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return bool(schema.get(_KEYWORD)) or any(has_rules(one) for one in below if isinstance(one, dict))


def validate_schema_rules(schema: Tree, path: Path, *, is_structural: bool) -> Errors:
    """All rules of a schema; of one that is not structural, only their form."""
    costs = _Costs()
    yield from _walk(schema, path, 1, None, costs if is_structural else None)
    from pybernetes.api.cel.rules import SCHEMA_LIMIT

    if costs.total > SCHEMA_LIMIT:
        detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        for _, at in sorted(costs.each, key=lambda one: -one[0])[:_MOST_EXPENSIVE]:
            yield field.forbidden(at, detail)
        name = f"{_KEYWORD} estimated rule cost total for entire OpenAPIv3 schema"
        yield field.forbidden(path, _too_expensive(name, costs.total, SCHEMA_LIMIT))


def _walk(
    schema: Tree, path: Path, count: int | None, alone: Path | None, costs: _Costs | None
) -> Generator[FieldError, None, bool]:
    """`count` is how many such values an object can have, None if the schema sets no limit; below `alone` none can be
    told from what it was before.

    What is below comes first, as upstream has it. The result is whether a rule is malformed here or below: no rule is
    compiled above it.
    """
    malformed = False
    for name, below in (schema.get("properties") or {}).items():
        malformed |= yield from _walk(below, path.child("properties").key(name), count, alone, costs)
    for keyword in ("items", "additionalProperties"):
        if not isinstance(schema.get(keyword), dict):
            continue
        at = path.child(keyword)
        lone = alone or (path if keyword == "items" and schema.get("x-kubernetes-list-type") != "map" else None)
        malformed |= yield from _walk(schema[keyword], at, _times(schema, keyword, count), lone, costs)
    rules = schema.get(_KEYWORD) or []
    at = path.child(_KEYWORD)
    wrong = [error for index, rule in enumerate(rules) for error in _validate_form(rule, schema, at.index(index))]
    yield from wrong
    malformed = malformed or bool(wrong)
    if rules and costs is not None and not malformed:
        yield from _validate_place(schema, path, count, alone, costs)
    return malformed


def _times(schema: Tree, keyword: str, count: int | None) -> int | None:
    from pybernetes.api.cel.rules import times

    each = times(schema, keyword)
    return None if count is None or each is None else count * each


def _validate_place(schema: Tree, path: Path, count: int | None, alone: Path | None, costs: _Costs) -> Errors:
    """The rules of one place, which are well-formed."""
    from pybernetes.api.cel.rules import compile_rules
    from pybernetes.api.cel.schema import most_occurrences, type_of_schema, with_identity

    at = path.child(_KEYWORD)
    is_root = str(path).endswith("openAPIV3Schema")
    self_type = type_of_schema(with_identity(schema) if is_root else schema)
    if self_type is None:
        yield field.internal(at, _UNTYPED)
        return
    if count is None:
        count = most_occurrences(schema)
    for index, compiled in enumerate(compile_rules(schema, self_type)):
        yield from _validate_programs(compiled, at.index(index), alone)
        yield from _validate_cost(compiled, at.index(index), count, costs)


def _validate_programs(rule: Rule, path: Path, alone: Path | None) -> Errors:
    shown = _shown(rule.source)
    optional = rule.source.get("optionalOldSelf")
    if optional is not None and not rule.is_transition:
        yield field.invalid(path.child("optionalOldSelf"), optional, "may not be set if oldSelf is not used in rule")
    if rule.error:
        yield field.invalid(path.child("rule"), shown, rule.error)
    if rule.message_error:
        yield field.invalid(path.child("messageExpression"), shown, rule.message_error)
    if rule.is_transition and alone is not None:
        detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {alone}"
        yield field.invalid(path.child("rule"), rule.source["rule"], detail)


def _validate_cost(rule: Rule, path: Path, count: int, costs: _Costs) -> Errors:
    from pybernetes.api.cel.rules import RULE_LIMIT

    # However many values there are, upstream counts one message.
    for name, program, times in (("rule", rule.program, count), ("messageExpression", rule.message, 1)):
        if program is None:
            continue
        cost = program.cost.most * times
        costs.add(cost, path.child(name))
        if cost > RULE_LIMIT:
            yield field.forbidden(path.child(name), _too_expensive(f"estimated {name} cost", cost, RULE_LIMIT))


def _too_expensive(name: str, cost: int, limit: int) -> str:
    factor = cost / limit
    if factor > 100:
        shown = "more than 100x"
    else:
        shown = f"{factor:.6f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{name} exceeds budget by factor of {shown} {_ADVICE}"


def _shown(rule: Any) -> Tree:
    """A rule as upstream's messages show it."""
    return {
        "Rule": rule.get("rule", ""), "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""), "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""), "OptionalOldSelf": rule.get("optionalOldSelf"),
    }  # fmt: skip


def _validate_form(rule: Tree, schema: Tree, path: Path) -> Errors:
    """A rule apart from its expressions."""
    text, message = rule.get("rule", "").strip(), rule.get("message", "")
    if not text:
        yield field.required(path.child("rule"), "rule is not specified")
    elif message and not message.strip():
        yield field.invalid(path.child("message"), message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield field.invalid(path.child("message"), message, "must not contain line breaks")
    elif "\n" in text and not message:
        yield field.required(path.child("message"), "message must be specified if rule contains line breaks")
    expression = rule.get("messageExpression", "")
    if expression and not expression.strip():
        yield field.required(path.child("messageExpression"), "messageExpression must be non-empty if specified")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield field.not_supported(path.child("reason"), reason, _REASONS)
    target = rule.get("fieldPath", "")
    if target and not _leads_to_field(target, schema):
        yield field.invalid(path.child("fieldPath"), target, "must be a valid path")
    if target and not target.strip():
        yield field.invalid(path.child("fieldPath"), target, "must be non-empty if specified")
    elif "\n" in target:
        yield field.invalid(path.child("fieldPath"), target, "must not contain line breaks")


_FIELD_PATH = re.compile(r"(?:\.[a-zA-Z_][a-zA-Z0-9_-]*|\['[^']+'\])+")
_PATH_PART = re.compile(r"\.([a-zA-Z_][a-zA-Z0-9_-]*)|\['([^']+)'\]")


def _leads_to_field(target: str, schema: Tree) -> bool:
    """Whether a path such as `.spec.names['a.b']` names a field below a schema."""
    if not _FIELD_PATH.fullmatch(target):
        return False
    node: Any = schema
    for dotted, bracketed in _PATH_PART.findall(target):
        below = (node.get("properties") or {}).get(dotted or bracketed)
        node = below if below is not None else node.get("additionalProperties")
        if not isinstance(node, dict):
            return False
    return True
