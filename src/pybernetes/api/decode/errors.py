"""What went wrong while decoding, with the messages of Go's JSON decoder, which clients of the API get to see."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.schema import Kind, Schema


class DecodeError(ValueError):
    """A tree that does not fit the types of its kind; the message is the decoder's."""


class Mismatch(Exception):
    """A value of the wrong JSON type on its way up to the object: each struct that it passes adds its field.

    Go's decoder reads on after it, for what is `final`: what types that read themselves (times, quantities) refuse
    ends the decoding, and is what is told, wherever it stands.
    """

    def __init__(self, found: str, wanted: str, final: bool = False) -> None:
        super().__init__(found, wanted)
        self.found = found
        self.wanted = wanted
        self.final = final
        self.struct = ""
        self.fields: list[str] = []

    def name_type(self, full: str) -> None:
        """The field's type by its own name: `[]v1.KeyUsage`, of which an element is wrong if no list was wanted."""
        element = full
        for before in ("[]", "map[string]"):
            if full.startswith(before) and not self.wanted.startswith(before):
                element = full.removeprefix(before)
        self.wanted = element

    def passes(self, struct: str, field: str) -> None:
        """The innermost struct gives the message its name, all of them the path."""
        self.struct = self.struct or struct
        self.fields.append(field)

    def message(self) -> str:
        target = f"value of type {self.wanted}"
        if self.fields:
            path = ".".join(reversed(self.fields))
            target = f"struct field {self.struct}.{path} of type {self.wanted}"
        return f"json: cannot unmarshal {self.found} into Go {target}"


class Illegal(Mismatch):
    """A text that the decoder itself cannot read: told as it is, without the field."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "")

    def message(self) -> str:
        return self.found


def json_type(value: object) -> str:
    """What Go's decoder calls the type of a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


_SCALARS = {
    Kind.STRING: "string", Kind.INTEGER: "int64", Kind.NUMBER: "float64", Kind.BOOLEAN: "bool",
    Kind.QUANTITY: "resource.Quantity", Kind.INT_OR_STRING: "intstr.IntOrString", Kind.ANY: "runtime.RawExtension",
}  # fmt: skip
_FORMATS = {"int32": "int32", "int64": "int64", "byte": "[]uint8", "date-time": "v1.Time", "micro-time": "v1.MicroTime"}


def go_type(node: Schema) -> str:
    """The Go type of a node: `map[string]string`, `[]v1.Container`."""
    if node.kind is Kind.OBJECT:
        return ".".join(node.definition.rsplit(".", 2)[1:])
    if node.kind is Kind.LIST:
        return f"[]{go_type(node.items) if node.items else 'interface {}'}"
    if node.kind is Kind.MAP:
        return f"map[string]{go_type(node.items) if node.items else 'interface {}'}"
    return _FORMATS.get(node.format) or _SCALARS[node.kind]


def field_warnings(unknown: Iterable[str]) -> list[str]:
    """What a strict decoder says of unknown fields, one by one."""
    return [f'unknown field "{path}"' for path in unknown]
