"""Messages compiled from the facts: each becomes a list of writers and a table of readers, on its first use.

As upstream's generated code: fields come in the order of their numbers; a field that Go holds by value is always
written, one behind a pointer only if set; maps are sorted by key. JSON objects leave zero values out again, but for
those that upstream's JSON always has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any, Final, TypeAlias

import msgspec

from pybernetes.api.protobuf.values import SCALARS, SPECIAL, Read, ValueCodec, Write
from pybernetes.api.schema import LEVEL, Presence, presence
from pybernetes.api.tree import Tree
from pybernetes.wire.protobuf import (
    LENGTH,
    VARINT,
    check_end,
    decode_length,
    decode_varint,
    delimited,
    encode_tag,
    skip_field,
    unread_field,
)

Emit: TypeAlias = Callable[[Tree, list[bytes]], None]
Take: TypeAlias = Callable[[bytes, int, Tree], int]

_MAP: Final = "map<string,"


@cache
def facts() -> dict[str, dict[str, list[Any]]]:
    """message -> field -> [number, type, "repeated"?]"""
    path = resources.files("pybernetes.api").joinpath(f"facts/protobuf-fields-{LEVEL}.json")
    found: dict[str, dict[str, list[Any]]] = msgspec.json.decode(path.read_bytes())
    return found


class Message:
    """One message type. Encoding reads only the fields that the message has; decoding skips those it has not."""

    __slots__ = ("_emitters", "_known", "_name", "_takers", "_zeros")

    def __init__(
        self, name: str, known: dict[int, str], emitters: list[Emit], takers: dict[int, Take], zeros: Tree
    ) -> None:
        self._name = name
        self._known = known
        self._emitters = emitters
        self._takers = takers
        self._zeros = zeros

    def encode(self, tree: Tree) -> bytes:
        out: list[bytes] = []
        for emit in self._emitters:
            emit(tree, out)
        return b"".join(out)

    def decode(self, data: bytes, position: int, end: int) -> Tree:
        """The JSON object of the bytes between two positions; raises `ProtobufError`."""
        out: Tree = {}
        self.decode_into(data, position, end, out)
        return out

    def decode_into(self, data: bytes, position: int, end: int, out: Tree) -> None:
        takers = self._takers
        while position < end:
            tag = data[position]
            if tag < 0x80:  # a number below 16: nearly always
                position += 1
            else:
                tag, position = decode_varint(data, position)
            take = takers.get(tag)
            if take is None:
                position = unread_field(data, position, tag, self._name, self._known)
            else:
                position = take(data, position, out)
        check_end(position, end)
        for name, zero in self._zeros.items():
            if name not in out:
                out[name] = zero.copy() if isinstance(zero, (dict, list)) else zero


_messages: dict[str, Message] = {}


def message(name: str) -> Message:
    """The message of a name such as k8s.io.api.core.v1.Pod; KeyError if there is none."""
    found = _messages.get(name)
    return found if found is not None else _compile(name)


def _definition(name: str) -> str:
    """The message's name as schema and presence facts have it."""
    name = name.replace("k8s.io.", "io.k8s.", 1)
    return name.replace("apiextensions_apiserver", "apiextensions-apiserver").replace(
        "kube_aggregator", "kube-aggregator"
    )


def _compile(name: str) -> Message:
    fields = facts()[name]
    is_told = _definition(name) in presence()
    told = presence()[_definition(name)] if is_told else Presence()
    emitters: list[Emit] = []
    takers: dict[int, Take] = {}
    zeros = {field: [] if field == "items" and zero is None else zero for field, zero in told.zeros.items()}
    known = {int(number): _go_name(field, kind) for field, (number, kind, *_) in fields.items()}
    # Before its fields: messages may contain themselves.
    found = _messages[name] = Message(name.rpartition(".")[2], known, emitters, takers, zeros)
    json_names = {protobuf: json for json, protobuf in told.protobuf.items()}
    for field, (number, kind, *label) in sorted(fields.items(), key=lambda entry: int(entry[1][0])):
        json_name = json_names.get(field, field)
        if field in told.inline:
            _add_inline(emitters, takers, number, kind)
        elif kind.startswith(_MAP):
            _add_map(emitters, takers, number, json_name, codec(kind[len(_MAP) : -1].lstrip(".")))
        elif label:
            _add_repeated(emitters, takers, number, json_name, codec(kind))
        else:
            nilable = kind == "bytes" or (kind in facts() and not is_told)
            by_value = json_name not in told.pointers and not nilable
            _add_single(emitters, takers, number, json_name, codec(kind), by_value=by_value)
    return found


def _go_name(field: str, kind: str) -> str:
    """What upstream's code calls a field."""
    return kind.rpartition(".")[2] if field == "metadata" else field[:1].upper() + field[1:]


@cache
def codec(kind: str) -> ValueCodec:
    """How values of a field's type are written and read."""
    scalar = SCALARS.get(kind)
    if scalar is not None:
        return scalar
    last = kind.rpartition(".")[2]
    special = SPECIAL.get(last)
    if special is not None:
        return special
    if last.startswith("JSONSchemaPropsOr"):
        return _alternatives(kind)
    return _nested(kind)


def _nested(kind: str) -> ValueCodec:
    def write(value: Any) -> bytes:
        return delimited(message(kind).encode(value or {}))

    inner: Message | None = None

    def read(data: bytes, position: int) -> tuple[Any, int]:
        nonlocal inner
        if inner is None:
            inner = message(kind)
        start, end = decode_length(data, position)
        out: Tree = {}
        inner.decode_into(data, start, end, out)
        return out, end

    return ValueCodec(LENGTH, write, read)


def _alternatives(kind: str) -> ValueCodec:
    """JSONSchemaPropsOrBool, -OrArray, -OrStringArray: a schema, or the other thing, by its JSON type."""
    inner = message(kind)
    other, is_bool = next((name, type_ == "bool") for name, (_, type_, *_) in facts()[kind].items() if name != "schema")

    def write(value: Any) -> bytes:
        if isinstance(value, dict):
            return delimited(inner.encode({"schema": value, "allows": True}))
        return delimited(inner.encode({other: value}))

    def read(data: bytes, position: int) -> tuple[Any, int]:
        start, end = decode_length(data, position)
        found = inner.decode(data, start, end)
        if "schema" in found:
            return found["schema"], end
        return found.get(other, False if is_bool else []), end

    return ValueCodec(LENGTH, write, read)


# -- fields


def _add_single(
    emitters: list[Emit], takers: dict[int, Take], number: int, name: str, value: ValueCodec, *, by_value: bool
) -> None:
    tag, write, read, zero = encode_tag(number, value.wire_type), value.write, value.read, value.zero
    unset = tag + write(None)

    def emit_always(tree: Tree, out: list[bytes]) -> None:
        held = tree.get(name)
        out.append(unset if held is None else tag + write(held))

    def emit_if_set(tree: Tree, out: list[bytes]) -> None:
        held = tree.get(name)
        if held is not None:
            out.append(tag + write(held))

    def take_if_not_zero(data: bytes, position: int, out: Tree) -> int:
        held, position = read(data, position)
        if held is not None and held != zero and held != {}:
            out[name] = held
        return position

    def take(data: bytes, position: int, out: Tree) -> int:
        out[name], position = read(data, position)
        return position

    emitters.append(emit_always if by_value else emit_if_set)
    takers[number << 3 | value.wire_type] = take_if_not_zero if by_value else take


def _add_repeated(emitters: list[Emit], takers: dict[int, Take], number: int, name: str, value: ValueCodec) -> None:
    tag, write, read = encode_tag(number, value.wire_type), value.write, value.read

    def emit(tree: Tree, out: list[bytes]) -> None:
        for item in tree.get(name) or ():
            out.append(tag + write(item))

    def take(data: bytes, position: int, out: Tree) -> int:
        held, position = read(data, position)
        out.setdefault(name, []).append(held)
        return position

    def take_packed(data: bytes, position: int, out: Tree) -> int:
        position, end = decode_length(data, position)
        items = out.setdefault(name, [])
        while position < end:
            held, position = read(data, position)
            items.append(held)
        return end

    emitters.append(emit)
    takers[number << 3 | value.wire_type] = take
    if value.wire_type == VARINT:
        takers[number << 3 | LENGTH] = take_packed


def _add_map(emitters: list[Emit], takers: dict[int, Take], number: int, name: str, value: ValueCodec) -> None:
    tag, write = encode_tag(number, LENGTH), value.write
    key_tag, value_tag, write_key = b"\x0a", encode_tag(2, value.wire_type), SCALARS["string"].write

    def emit(tree: Tree, out: list[bytes]) -> None:
        held = tree.get(name)
        if held:
            for key in sorted(held):
                out.append(tag + delimited(key_tag + write_key(key) + value_tag + write(held[key])))

    emitters.append(emit)
    takers[number << 3 | LENGTH] = _map_taker(name, value.read, value_tag[0], value)


def _map_taker(name: str, read: Read, value_tag: int, value: ValueCodec) -> Take:
    read_key = SCALARS["string"].read
    unset: Write = value.write

    def take(data: bytes, position: int, out: Tree) -> int:
        position, end = decode_length(data, position)
        key: Any = ""
        held: Any = None
        seen = False
        while position < end:
            tag, position = decode_varint(data, position)
            if tag == 0x0A:
                key, position = read_key(data, position)
            elif tag == value_tag:
                held, position = read(data, position)
                seen = True
            else:
                position = skip_field(data, position, tag)
        check_end(position, end)
        out.setdefault(name, {})[key] = held if seen else read(unset(None), 0)[0]
        return end

    return take


def _add_inline(emitters: list[Emit], takers: dict[int, Take], number: int, kind: str) -> None:
    """A message whose fields are, in JSON, those of the message around it."""
    tag = encode_tag(number, LENGTH)

    def emit(tree: Tree, out: list[bytes]) -> None:
        out.append(tag + delimited(message(kind).encode(tree)))

    def take(data: bytes, position: int, out: Tree) -> int:
        start, end = decode_length(data, position)
        message(kind).decode_into(data, start, end, out)
        return end

    emitters.append(emit)
    takers[number << 3 | LENGTH] = take
