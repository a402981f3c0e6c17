"""ConfigMaps, and what they share with secrets: keys, size, immutability."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

MAX_SIZE = 1024 * 1024


def _create(config_map: Tree) -> Errors:
    data, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    size = 0
    for key, text in data.items():
        yield from complain(ROOT.child("data").key(key), key, names.config_map_key(key))
        if key in binary:
            yield field.invalid(ROOT.child("data").key(key), key, "duplicate of key present in binaryData")
        size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    for key, encoded in binary.items():
        yield from complain(ROOT.child("binaryData").key(key), key, names.config_map_key(key))
        size += decoded_size(encoded)
    if size > MAX_SIZE:
        yield field.too_long(ROOT, MAX_SIZE)


def decoded_size(encoded: str | None) -> int:
    """The bytes that canonical base64 stands for; Go also has None for no bytes."""
    if encoded is None:
        return 0
    return len(encoded) // 4 * 3 - encoded[-2:].count("=")


def validate_immutable(new: Tree, old: Tree, *fields: str) -> Errors:
    """Nothing changes once `immutable` is set, the mark itself included."""
    if not old.get("immutable"):
        return
    detail = "field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield field.forbidden(ROOT.child("immutable"), detail)
    for name in fields:
        if (new.get(name) or {}) != (old.get(name) or {}):
            yield field.forbidden(ROOT.child(name), detail)


def _update(new: Tree, old: Tree) -> Errors:
    yield from validate_immutable(new, old, "data", "binaryData")


RULES: RulesTable = {("", "configmaps"): Rules(_create, _update, whole_looks=1)}
