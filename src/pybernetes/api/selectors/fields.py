"""Field selectors: `metadata.name=a,spec.nodeName!=b`, with backslashes before commas, signs and backslashes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from pybernetes.api.caching import short_cache
from pybernetes.api.selectors.labels import SelectorError

_TERM = re.compile(r"(?:[^\\,]|\\.?)*", re.DOTALL)
_OPERATOR = re.compile(r"(?:[^\\=!]|\\.?|!(?!=))*?(!=|==|=)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)


class FieldRequirement(Struct, frozen=True):
    field: str
    value: str
    negated: bool = False

    def matches(self, fields: Mapping[str, str]) -> bool:
        return (fields.get(self.field, "") == self.value) is not self.negated

    def __str__(self) -> str:
        return f"{self.field}{'!=' if self.negated else '='}{escape(self.value)}"


class FieldSelector(Struct, frozen=True):
    """All requirements have to hold; a field that an object lacks reads as empty."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        return all(requirement.matches(fields) for requirement in self.requirements)

    def exact(self, field: str) -> str | None:
        """The value that the selector pins a field to, None when it does not."""
        for requirement in self.requirements:
            if requirement.field == field and not requirement.negated:
                return requirement.value
        return None

    @property
    def is_everything(self) -> bool:
        return not self.requirements

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING: Final = FieldSelector()


@short_cache(1024)
def parse(text: str) -> FieldSelector:
    """Read the text form; SelectorError in upstream's words."""
    return FieldSelector(tuple(_term(term, text) for term in _terms(text) if term))


def of(field: str, value: str) -> FieldSelector:
    """What has this value in the field."""
    return FieldSelector((FieldRequirement(field, value),))


def escape(value: str) -> str:
    """The value with backslashes before what the grammar means something by."""
    return re.sub(r"([\\,=])", r"\\\1", value)


def _terms(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    while position <= len(text):
        match = _TERM.match(text, position)
        term = match.group() if match else ""
        found.append(term)
        position += len(term) + 1
    return found


def _term(term: str, whole: str) -> FieldRequirement:
    match = _OPERATOR.match(term)
    if match is None:
        raise SelectorError(f"invalid selector: '{whole}'; can't understand '{term}'")
    operator = match.group(1)
    field = term[: match.start(1)]
    return FieldRequirement(field, _unescape(term[match.end() :]), operator == "!=")


def _unescape(value: str) -> str:
    for escaped in _ESCAPE.findall(value):
        if not escaped:
            raise SelectorError("invalid field selector: invalid escape sequence: \\")
        if escaped not in "\\,=":
            raise SelectorError(f"invalid field selector: invalid escape sequence: \\{escaped}")
    bare = _ESCAPE.sub("", value)
    if "=" in bare or "," in bare:
        raise SelectorError(f"invalid field selector: unescaped character in value: {ord('=' if '=' in bare else ',')}")
    return _ESCAPE.sub(r"\1", value)
