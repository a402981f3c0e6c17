"""How Go's YAML reads scalars, where PyYAML reads them otherwise."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any, Final

import yaml

_PREFIX: Final = "tag:yaml.org,2002:"
_INTEGER: Final = re.compile(r"[-+]?(?:0[bB][01_]+|0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)$")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_BASES: Final = {"0b": 2, "0x": 16, "0o": 8}
_MOST: Final = (1 << 64) - 1
_WHOLE: Final = 1e21
"""Whole numbers below this are written without an exponent."""
_REPLACED: Final = frozenset(f"{_PREFIX}{name}" for name in ("timestamp", "int", "float", "value"))


def adapt(loader: Any) -> None:
    """Have a loader class of its own read scalars as Go does: dates stay strings, unknown tags mean nothing."""
    resolvers = loader.yaml_implicit_resolvers.items()
    loader.yaml_implicit_resolvers = {
        first: kept for first, rules in resolvers if (kept := [rule for rule in rules if rule[0] not in _REPLACED])
    }
    know_numbers(loader)
    loader.add_constructor(f"{_PREFIX}int", _integer)
    loader.add_constructor(f"{_PREFIX}float", _float)
    loader.add_constructor(f"{_PREFIX}null", _null)
    loader.add_constructor(f"{_PREFIX}binary", _binary)
    for name in ("timestamp", "value", "merge", "set", "omap", "pairs"):
        loader.add_constructor(f"{_PREFIX}{name}", _untagged)
    loader.add_constructor(None, _untagged)


def know_numbers(reader: Any) -> None:
    """Have a loader or dumper class take for numbers what Go does."""
    reader.add_implicit_resolver(f"{_PREFIX}int", _INTEGER, list("-+0123456789"))
    reader.add_implicit_resolver(f"{_PREFIX}float", _FLOAT, list("-+.0123456789"))


def _integer(_: Any, node: Any) -> object:
    text = node.value.replace("_", "").lower()
    sign = -1 if text[:1] == "-" else 1
    digits = text.lstrip("+-")
    if digits[:2] in _BASES:
        value = int(digits[2:], _BASES[digits[:2]])
    else:
        value = int(digits, 8 if digits[:1] == "0" else 10)
    return sign * value if value <= _MOST else _number(float(sign * value))


def _float(_: Any, node: Any) -> object:
    text = node.value.replace("_", "").lower()
    if text.lstrip("+-").startswith((".inf", ".nan")):
        shown = "NaN" if "nan" in text else "-Inf" if text[0] == "-" else "+Inf"
        raise ValueError(f"json: unsupported value: {shown}")
    value = float(text)
    return node.value if math.isinf(value) else _number(value)


def _number(value: float) -> float:
    """As Go writes it in JSON."""
    return int(value) if math.isfinite(value) and value.is_integer() and abs(value) < _WHOLE else value


def _null(_: Any, node: Any) -> None:
    if node.value not in ("", "~", "null", "Null", "NULL"):
        raise ValueError(f"yaml: cannot decode !!str `{node.value}` as a !!null")


def _binary(_: Any, node: Any) -> str:
    try:
        return base64.b64decode("".join(node.value.split()), validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise ValueError("yaml: !!binary value contains invalid base64 data") from error


def _untagged(loader: Any, node: Any) -> object:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return node.value
