"""Expressions that select devices (`DeviceSelector.cel`, KEP-4381): what they may name, and what they may cost."""

from __future__ import annotations

from functools import cache
from typing import Final

from pybernetes.api.cel.admission import Expression, shown_type
from pybernetes.api.cel.environment import Environment
from pybernetes.api.cel.errors import CompileError
from pybernetes.api.cel.library.kubernetes import QUANTITY
from pybernetes.api.cel.types import BOOL, DYN, STRING, Type, map_of, object_of

MAX_COST: Final = 1_000_000
_MAX_DRIVER, _MAX_DOMAIN, _MAX_ID, _MAX_VALUE, _MAX_ENTRIES = 63, 63, 32, 64, 32
_ANY: Final = Type(DYN.kind, name="any", size=_MAX_VALUE)
"""Of attributes: the unknown type, which is not that of what an expression makes unknown itself."""


def _by_domain(value: Type) -> Type:
    """Domain -> identifier -> value, as attributes and capacities are looked up."""
    inner = map_of(_text(_MAX_ID), value, _MAX_ENTRIES)
    return map_of(_text(_MAX_DOMAIN), inner, _MAX_ENTRIES)


def _text(size: int) -> Type:
    return Type(STRING.kind, size=size)


@cache
def _environment() -> Environment:
    device = object_of(
        "kubernetes.DRADevice",
        {
            "driver": _text(_MAX_DRIVER),
            "allowMultipleAllocations": BOOL,
            "attributes": _by_domain(_ANY),
            "capacity": _by_domain(QUANTITY),
        },
    )
    return Environment({"device": device}, binds=True)


def compile_selector(source: str) -> Expression:
    """A selector of devices: a boolean, or a value that is only known when it is evaluated."""
    try:
        program = _environment().compile(source)
    except CompileError as error:
        return Expression(source, None, error.reason)
    if program.type not in (BOOL, _ANY):
        return Expression(source, None, f"must evaluate to bool or the unknown type, not {shown_type(program.type)}")
    return Expression(source, program)
