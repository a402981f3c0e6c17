"""The rules of a custom resource's schema asked about an object, in upstream's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pybernetes.api import field
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.rules import Rule, RuleNode
from pybernetes.api.cel.values import NONE, Optional
from pybernetes.api.field import FieldError, Kind, Path
from pybernetes.api.validation.schema_values import NEW, identity, keyed, same

CALL_LIMIT: Final = 1_000_000
OBJECT_LIMIT: Final = 10_000_000
"""What the rules of one object may cost together."""

_OUT_OF_BUDGET: Final = "validation failed due to running out of cost budget, no further validation rules will be run"
MAX_MESSAGE_BYTES: Final = 5 * 1024
"""What is longer of a message that an expression made is not told."""
_KINDS: Final = {
    "FieldValueInvalid": Kind.INVALID, "FieldValueForbidden": Kind.FORBIDDEN, "FieldValueRequired": Kind.REQUIRED,
    "FieldValueDuplicate": Kind.DUPLICATE,
}  # fmt: skip


class _SpentError(Exception):
    """Nothing more may be asked."""


def validate_rules(tree: RuleNode, value: Any, old: Any = NEW) -> Iterator[FieldError]:
    """What the rules say of an object, which fits its schema; `old` is what it replaces."""
    return _asked(_Inquiry(ratchets=True), tree, value, old, Path())


def validate_default(tree: RuleNode, value: Any, path: Path) -> list[FieldError]:
    """What the rules say of a default: it may stay as it is, and it may come to be."""
    found = list(_asked(_Inquiry(ratchets=False), tree, value, value, path))
    return found or list(_asked(_Inquiry(ratchets=False), tree, value, NEW, path))


def _asked(inquiry: _Inquiry, tree: RuleNode, value: Any, old: Any, path: Path) -> Iterator[FieldError]:
    try:
        yield from inquiry.ask(tree, value, old, path)
    except _SpentError:
        return


class _Inquiry:
    def __init__(self, *, ratchets: bool) -> None:
        """`ratchets`: what has not changed need not obey rules that are about no change."""
        self._ratchets = ratchets
        self._left = OBJECT_LIMIT

    def ask(self, node: RuleNode, value: Any, old: Any, path: Path) -> Iterator[FieldError]:
        if value is None:
            return
        if node.rules:
            yield from self._own(node, value, old, path)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for key, below in value.items():
                found = node.properties.get(key) or node.others
                if found is not None:
                    at = path.child(key) if key in node.properties else path.key(key)
                    yield from self.ask(found, below, before.get(key, NEW), at)
        elif isinstance(value, list) and node.items is not None:
            known = keyed(node.schema, old if isinstance(old, list) else [])
            for index, item in enumerate(value):
                yield from self.ask(node.items, item, known.get(identity(node.schema, item), NEW), path.index(index))

    def _own(self, node: RuleNode, value: Any, old: Any, path: Path) -> Iterator[FieldError]:
        convert = node.convert or (lambda given: given)
        variables: dict[str, object] = {"self": convert(value)}
        before = NEW if old is NEW or old is None else convert(old)
        unchanged = self._ratchets and old is not NEW and same(value, old)
        for rule in node.rules:
            # A rule that became stricter holds for changes only (KEP-4008), one about changes always.
            if unchanged and not rule.is_transition:
                continue
            if rule.is_transition and before is NEW and not rule.takes_optional:
                continue
            if rule.takes_optional:
                variables["oldSelf"] = NONE if before is NEW else Optional(before, True)
            else:
                variables["oldSelf"] = before
            yield from self._judge(rule, variables, node, value, path)

    def _judge(
        self, rule: Rule, variables: dict[str, object], node: RuleNode, value: Any, path: Path
    ) -> Iterator[FieldError]:
        if rule.program is None:
            yield _unjudged(node, path, f"rule compile error: {rule.error}")
            return
        try:
            answer, left = rule.program.run(variables, CALL_LIMIT)
        except EvaluationError as error:
            yield _unjudged(node, path, _evaluation_failed(rule, str(error)))
            if str(error).startswith("operation cancelled"):
                raise _SpentError from error
            return
        self._left -= CALL_LIMIT - left
        if self._left < 0:
            yield _unjudged(node, path, _OUT_OF_BUDGET)
            raise _SpentError
        if answer is not True:
            yield _broken(rule, variables, value, path)


def _broken(rule: Rule, variables: dict[str, object], value: Any, path: Path) -> FieldError:
    for part in _field_path(rule.source.get("fieldPath", "")):
        path = path.child(part)
    kind = _KINDS[rule.source.get("reason") or "FieldValueInvalid"]
    detail = "" if kind is Kind.DUPLICATE else _message(rule, variables)  # the value says it all
    return FieldError(kind, str(path), _shown(value), detail)


def _field_path(text: str) -> list[str]:
    """`.spec['a.b']` as its parts."""
    parts, at = [], 0
    while at < len(text):
        if text[at] == ".":
            stop = min((found for mark in ".[" if (found := text.find(mark, at + 1)) > 0), default=len(text))
            parts.append(text[at + 1 : stop])
        else:
            stop = text.index("]", at) + 1
            parts.append(text[at + 2 : stop - 2])
        at = stop
    return parts


def _message(rule: Rule, variables: dict[str, object]) -> str:
    if rule.message is not None:
        try:
            text = rule.message.evaluate(variables, CALL_LIMIT)
        except EvaluationError:
            text = ""
        text = text.strip() if isinstance(text, str) else ""
        if text and "\n" not in text and len(text.encode()) <= MAX_MESSAGE_BYTES:
            return text
    return rule.source.get("message", "").strip() or f"failed rule: {rule.source['rule'].strip()}"


def _evaluation_failed(rule: Rule, error: str) -> str:
    shown = rule.source.get("message", "").strip() or rule.source["rule"].strip()
    if error.startswith("no such overload"):
        return f"'{error}': call arguments did not match a supported operator, function or macro signature for rule: {shown}"
    if error.startswith("operation cancelled"):
        return f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {shown}"
    return f"{error} evaluating rule: {shown}"


def _shown(value: Any) -> Any:
    """Messages show scalars only."""
    return field.OMITTED if isinstance(value, dict | list) else value


def _unjudged(node: RuleNode, path: Path, detail: str) -> FieldError:
    """Where a rule could not be asked, upstream shows the type instead of the value."""
    return field.invalid(path, node.schema.get("type", ""), detail)
