"""JSON values as Go prints them, since upstream's error messages hold such dumps."""

from __future__ import annotations

from pybernetes.api.field import quote
from pybernetes.api.schema import Json


def plain(value: Json) -> str:
    """As %v prints it: map[a:1 b:[x y]]."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(plain(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number(value) if isinstance(value, float) else str(value)


def syntax(value: Json) -> str:
    """As %#v prints it: map[string]interface {}{"a":1}."""
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f"{quote(k)}:{syntax(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(syntax(item) for item in value) + "}"
    if value is None:
        return "interface {}(nil)"
    return quote(value) if isinstance(value, str) else plain(value)


def misprinted(value: Json) -> str:
    """As %s prints what is no string: %!s(int64=5)."""
    return f"%!s({type_name(value)}={plain(value)})"


def type_name(value: Json) -> str:
    """As %T prints the type of a value that came out of JSON."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"


def kind(value: Json) -> str:
    """As %s prints the type of such a value, of which null has none."""
    return "%!s(<nil>)" if value is None else type_name(value)


def _number(value: float) -> str:
    """The shortest form; an exponent from 1e21 on and below 1e-4, with two digits at least."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    sign, digits = exponent[0], exponent.lstrip("+-")
    return f"{mantissa}e{sign if sign in '+-' else '+'}{digits:0>2}"
