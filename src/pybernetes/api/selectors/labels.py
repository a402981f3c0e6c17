"""Label selectors: `a=b,c in (d,e),!f` and the `LabelSelector` struct."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from pybernetes.api import field, names
from pybernetes.api.caching import short_cache
from pybernetes.api.field import ROOT, ErrorList, Path
from pybernetes.api.types import meta_v1

Labels: TypeAlias = Mapping[str, str]

EQUALS, DOUBLE_EQUALS, NOT_EQUALS = "=", "==", "!="
IN, NOT_IN, EXISTS, NOT_EXISTS = "in", "notin", "exists", "!"
GREATER, LESS = "gt", "lt"

_OPERATORS = {"in": IN, "=": EQUALS, "==": DOUBLE_EQUALS, ">": GREATER, "<": LESS, "notin": NOT_IN, "!=": NOT_EQUALS}
_BINARY_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_STRUCT_OPERATORS = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": NOT_EXISTS}
_TOKEN = re.compile(r"\s*(?:(==|!=|[=!(),<>])|([^=!(),<>\s]+))")
_SPECIAL = frozenset({"=", "==", "!=", "!", "(", ")", ",", "<", ">"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)


class SelectorError(ValueError):
    """A selector that cannot be understood; the message is upstream's."""


class Requirement(Struct, frozen=True):
    """One condition on one label; values are sorted and without doubles."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        if not _INTEGER.fullmatch(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == GREATER else int(value) < bound

    def __str__(self) -> str:
        listed = ",".join(self.values)
        match self.operator:
            case "in" | "notin":
                return f"{self.key} {self.operator} ({listed})"
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == GREATER else '<'}{listed}"
            case _:
                return f"{self.key}{self.operator}{listed}"


class LabelSelector(Struct, frozen=True):
    """All requirements have to hold; without any, everything matches, unless `nothing` says otherwise."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Labels) -> bool:
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def is_everything(self) -> bool:
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        """The text that parses to the same selector."""
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING: Final = LabelSelector()
NOTHING: Final = LabelSelector(nothing=True)


@short_cache(1024)
def parse(text: str) -> LabelSelector:
    """Read the text form; SelectorError when it breaks the grammar or a name's format."""
    return LabelSelector(tuple(sorted(_Parser(text).requirements(), key=lambda requirement: requirement.key)))


def from_labels(labels: Labels) -> LabelSelector:
    """Exactly these labels."""
    return LabelSelector(tuple(Requirement(key, EQUALS, (value,)) for key, value in sorted(labels.items())))


def from_struct(selector: meta_v1.LabelSelector | None) -> LabelSelector:
    """None selects nothing, an empty selector everything; SelectorError for an operator that does not exist."""
    if selector is None:
        return NOTHING
    expressions = [(e.key, e.operator, e.values) for e in selector.match_expressions]
    return _from_parts(selector.match_labels, expressions)


def from_tree(selector: Mapping[str, Any] | None) -> LabelSelector:
    """As `from_struct`, for the JSON tree of a `LabelSelector`."""
    if selector is None:
        return NOTHING
    expressions = [(e["key"], e["operator"], e.get("values") or ()) for e in selector.get("matchExpressions") or ()]
    return _from_parts(selector.get("matchLabels") or {}, expressions)


def _from_parts(labels: Labels, expressions: Iterable[tuple[str, str, Sequence[str]]]) -> LabelSelector:
    found = [Requirement(key, EQUALS, (value,)) for key, value in labels.items()]
    for key, operator, values in expressions:
        if operator not in _STRUCT_OPERATORS:
            raise SelectorError(f"{field.quote(operator)} is not a valid label selector operator")
        found.append(make_requirement(key, _STRUCT_OPERATORS[operator], values))
    return LabelSelector(tuple(sorted(found, key=lambda requirement: requirement.key)))


def make_requirement(key: str, operator: str, values: Iterable[str] = ()) -> Requirement:
    """A checked requirement; SelectorError when key, values or their number do not fit the operator."""
    listed = tuple(sorted(set(values)))
    errors = _check_key(key, ROOT.child("key"))
    errors += _check_values(key, operator, listed, ROOT.child("values"))
    if errors:
        raise SelectorError(field.aggregate(errors))
    return Requirement(key, operator, listed)


def _check_key(key: str, path: Path) -> ErrorList:
    complaints = names.qualified_name(key)
    return [field.invalid(path, key, "; ".join(complaints))] if complaints else []


def _check_values(key: str, operator: str, values: tuple[str, ...], path: Path) -> ErrorList:
    errors: ErrorList = []
    complaint = _count_complaint(operator, values)
    if complaint:
        errors.append(field.invalid(path, list(values), complaint))
    for index, value in enumerate(values):
        if operator in (GREATER, LESS) and not _INTEGER.fullmatch(value):
            detail = "for 'Gt', 'Lt' operators, the value must be an integer"
            errors.append(field.invalid(path.index(index), value, detail))
        wrong = names.label_value(value)
        if wrong:
            errors.append(field.invalid(path.index(index).key(key), value, "; ".join(wrong)))
    return errors


def _count_complaint(operator: str, values: tuple[str, ...]) -> str:
    """What is wrong with the number of values, empty when nothing is."""
    if operator in (IN, NOT_IN):
        return "" if values else "for 'in', 'notin' operators, values set can't be empty"
    if operator in (EXISTS, NOT_EXISTS):
        return "values set must be empty for exists and does not exist" if values else ""
    if operator in (GREATER, LESS):
        return "" if len(values) == 1 else "for 'Gt', 'Lt' operators, exactly one value is required"
    return "" if len(values) == 1 else "exact-match compatibility requires one single value"


class _Parser:
    """Recursive descent over tokens; the empty token is the end."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = [special or word for special, word in _TOKEN.findall(text)] + [""]
        self._next = 0

    def _take(self) -> str:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _peek(self) -> str:
        return self._tokens[self._next]

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._peek():
            token = self._peek()
            if token != "!" and not _is_word(token):
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            token = self._take()
            if not token:
                break
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            if self._peek() != "!" and not _is_word(self._peek()):
                raise SelectorError(f"found '{self._peek()}', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        key = self._take()
        negated = key == "!"
        if negated:
            key = self._take()
        if not _is_word(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        if errors := _check_key(key, ROOT):
            raise SelectorError(field.aggregate(errors))
        if negated:
            return make_requirement(key, NOT_EXISTS)
        if self._peek() in ("", ","):
            return make_requirement(key, EXISTS)
        token = self._take()
        operator = _OPERATORS.get(token)
        if operator is None:
            raise SelectorError(f"found '{token}', expected: {_BINARY_OPERATORS}")
        values = self._set() if operator in (IN, NOT_IN) else (self._exact_value(),)
        return make_requirement(key, operator, values)

    def _exact_value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        token = self._take()
        if not _is_word(token):
            raise SelectorError(f"found '{token}', expected: identifier")
        return token

    def _set(self) -> list[str]:
        token = self._take()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        if self._peek() == ")":
            self._take()
            return [""]
        if self._peek() != "," and not _is_word(self._peek()):
            raise SelectorError(f"found '{self._peek()}', expected: ',', ')' or identifier")
        return self._identifiers()

    def _identifiers(self) -> list[str]:
        """Values up to the closing parenthesis; what stands between two commas may be empty."""
        values: list[str] = []
        pending = ""
        while True:
            token = self._take()
            if token in (",", ")"):
                values.append(pending)
                pending = ""
                if token == ")":
                    return values
            elif pending:
                raise SelectorError(f"found '{token}', expected: ',' or ')'")
            elif _is_word(token):
                pending = token
            else:
                raise SelectorError(f"found '{token}', expected: ',', or identifier")


def _is_word(token: str) -> bool:
    return bool(token) and token not in _SPECIAL
