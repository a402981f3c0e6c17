"""Match conditions of webhooks and policies: expressions that have to hold for them to be asked (KEP-3716)."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

_MOST: Final = 64


def validate_match_conditions(conditions: list[Tree], path: Path, *, params: bool = False) -> Errors:
    """`params`: whether they may name `params`."""
    if len(conditions) > _MOST:
        yield field.too_many(path, len(conditions), _MOST)
    taken: set[str] = set()
    for index, condition in enumerate(conditions):
        at, name = path.index(index), condition.get("name") or ""
        yield from _validate_expression(condition.get("expression") or "", at.child("expression"), params)
        if not name:
            yield field.required(at.child("name"))
            continue
        yield from complain(at.child("name"), name, names.qualified_name(name))
        if name in taken:
            yield field.duplicate(at.child("name"), name)
        taken.add(name)


def _validate_expression(source: str, path: Path, params: bool) -> Errors:
    if not source.strip():
        yield field.required(path)
        return
    from pybernetes.api.cel.admission import compile_condition, conditions_environment

    compiled = compile_condition(conditions_environment(params=params), source.strip())
    if compiled.error:
        yield field.invalid(path, source.strip(), compiled.error)
