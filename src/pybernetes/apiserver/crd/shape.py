"""What the schema of a custom resource makes of an object: pruned, defaulted, its metadata typed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from pybernetes.api import field
from pybernetes.api.decode import decode
from pybernetes.api.field import ErrorList, Kind, Path
from pybernetes.api.schema import schema_for
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.crd.values import NEW, validate_value

if TYPE_CHECKING:
    from pybernetes.api.cel.rules import RuleNode

_META = schema_for("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
_OWN = ("apiVersion", "kind", "metadata")
_BLOCKING: Final = frozenset({Kind.NOT_SUPPORTED, Kind.REQUIRED, Kind.TOO_LONG, Kind.TOO_MANY, Kind.TYPE_INVALID})
"""What makes an object one that rules cannot be asked about."""
_UNCHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


class Shape:
    """Of one version; `source` is its openAPIV3Schema."""

    def __init__(self, source: Tree) -> None:
        self.source = source
        self._rules: RuleNode | None = None
        self._has_rules = has_rules(source)

    def prepare(self, tree: Tree) -> tuple[Tree, list[str]]:
        """The object as it is stored, and the paths of fields that were dropped. Raises DecodeError."""
        metadata = decode(_META, tree.get("metadata") or {})
        unknown = [f"metadata.{path}" for path in metadata.unknown]
        rest = {key: copy.deepcopy(value) for key, value in tree.items() if key not in _OWN}
        _prune(self.source, rest, "", unknown)
        _default(self.source, rest)
        own: Tree = {key: tree[key] for key in ("apiVersion", "kind") if key in tree}
        return {**own, "metadata": metadata.tree, **rest}, unknown

    def validate(self, tree: Tree, old: Tree | None = None) -> ErrorList:
        """What is wrong with the values; with `old`, with those that are other ones than there."""
        rest = {key: value for key, value in tree.items() if key not in _OWN}
        before = NEW if old is None else {key: value for key, value in old.items() if key not in _OWN}
        required = [name for name in self.source.get("required") or [] if name not in _OWN]
        found = list(validate_value({**self.source, "required": required}, rest, Path(), before))
        if self._has_rules:
            found += self._ask_rules(tree, old, found)
        return found

    def _ask_rules(self, tree: Tree, old: Tree | None, found: ErrorList) -> ErrorList:
        """What the schema's CEL rules say; they are compiled when they are first asked."""
        if any(error.kind in _BLOCKING for error in found):
            return [field.invalid(Path(), None, _UNCHECKED)]
        from pybernetes.api.cel.rules import rule_tree
        from pybernetes.apiserver.crd.rules import validate_rules

        self._rules = self._rules or rule_tree(self.source)
        return [] if self._rules is None else list(validate_rules(self._rules, tree, NEW if old is None else old))


def has_rules(schema: Tree) -> bool:
    """Whether a rule stands anywhere in a schema."""
    if schema.get("x-kubernetes-validations"):
        return True
    below = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return any(has_rules(each) for each in below if isinstance(each, dict))


def _prune(schema: Tree, value: Any, path: str, unknown: list[str]) -> None:
    """Drop what the schema does not know, in place."""
    if isinstance(value, list):
        items = schema.get("items") or {}
        for index, item in enumerate(value):
            _prune(items, item, f"{path}[{index}]", unknown)
        return
    if not isinstance(value, dict):
        return
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or others is True
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    for key in list(value):
        below = f"{path}.{key}" if path else key
        if embedded and key in _OWN:
            if key == "metadata" and isinstance(value[key], dict):
                made = decode(_META, value[key])
                value[key] = made.tree
                unknown += [f"{below}.{field_path}" for field_path in made.unknown]
        elif key in properties:
            _prune(properties[key], value[key], below, unknown)
        elif isinstance(others, dict):
            _prune(others, value[key], below, unknown)
        elif not keeps:
            unknown.append(below)
            del value[key]


def _default(schema: Tree, value: Any) -> None:
    """Fill in what is absent (or null, where null is not allowed), in place."""
    if isinstance(value, list):
        for item in value:
            _default(schema.get("items") or {}, item)
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    for key, below in properties.items():
        if "default" in below and (key not in value or (value[key] is None and not below.get("nullable"))):
            value[key] = copy.deepcopy(below["default"])
        elif key in value and value[key] is None and not below.get("nullable"):
            del value[key]
        if key in value:
            _default(below, value[key])
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for key, item in value.items():
            if key not in properties:
                _default(others, item)
