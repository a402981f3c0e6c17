"""What the schema of a custom resource makes of an object: pruned, defaulted, its metadata typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from pybernetes.aio.turns import give_way
from pybernetes.api import field
from pybernetes.api.decode import decode
from pybernetes.api.field import ErrorList, Kind, Path
from pybernetes.api.pruning import META, OWN, fill_defaults, prune
from pybernetes.api.schema import schema_for
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.api.validation import validate
from pybernetes.api.validation.schema_values import NEW, validate_lists, validate_value

if TYPE_CHECKING:
    from pybernetes.api.cel.rules import RuleNode

_BLOCKING: Final = frozenset({Kind.NOT_SUPPORTED, Kind.REQUIRED, Kind.TOO_LONG, Kind.TOO_MANY, Kind.TYPE_INVALID})
"""What makes an object one that rules cannot be asked about."""
_PLAIN: Final = 1e21
"""From here on Go's encoder writes an exponent."""
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

    def prepare(self, tree: Tree, *, applied: bool = False) -> tuple[Tree, list[str]]:
        """The object as it is stored, and the paths of fields that were dropped. Raises DecodeError.

        Of an `applied` one the nulls stay.
        """
        metadata = decode(schema_for(META), tree.get("metadata") or {})
        unknown = [f"metadata.{path}" for path in metadata.unknown]
        rest = {key: copied(value) for key, value in tree.items() if key not in OWN}
        unknown += prune(self.source, rest)
        fill_defaults(self.source, rest, keep_nulls=applied)
        own: Tree = {key: tree[key] for key in ("apiVersion", "kind") if key in tree}
        return {**own, "metadata": metadata.tree, **rest}, unknown

    def default_status(self, tree: Tree) -> None:
        """Give an object without a status the one that the schema has as default; in place."""
        schema = (self.source.get("properties") or {}).get("status") or {}
        if "status" not in tree and "default" in schema:
            made: Tree = {}
            fill_defaults({"properties": {"status": schema}}, made, keep_nulls=False)
            tree |= made

    def pruned(self, tree: Tree) -> Tree:
        """The object without what the schema does not know, and without defaults. Raises DecodeError."""
        made: Tree = copied(tree)
        rest = {key: value for key, value in made.items() if key not in OWN}
        prune(self.source, rest)
        return {**{key: made[key] for key in OWN if key in made}, **rest}

    def validate(self, tree: Tree, old: Tree | None = None, resource: Resource | None = None) -> ErrorList:
        """What is wrong with the values; with `old`, with those that are other ones than there.

        Of an object of a `resource` whose metadata is wrong no rules are asked.
        """
        rest = {key: value for key, value in tree.items() if key not in OWN}
        before = NEW if old is None else {key: value for key, value in old.items() if key not in OWN}
        required = [name for name in self.source.get("required") or [] if name not in OWN]
        found = list(validate_value({**self.source, "required": required}, rest, Path(), before))
        lists = list(validate_lists(self.source, rest, Path()))
        # What stood twice before may go on doing so.
        if lists and (before is NEW or next(validate_lists(self.source, before, Path()), None) is None):
            found += lists
        if self._has_rules:
            beside = [] if resource is None else validate(resource, tree, old)
            found += self._ask_rules(tree, old, [*beside, *found])
        return found

    def validate_status(self, tree: Tree, old: Tree) -> ErrorList:
        """As `validate` of an object of which only the status may have changed: that alone is held to its schema."""
        schema = (self.source.get("properties") or {}).get("status") or {}
        found: ErrorList = []
        if "status" in tree:
            for wrong in validate_value(schema, tree["status"], Path(), old.get("status", NEW)):
                found.append(replace(wrong, field=f"status.{wrong.field}" if wrong.field else "status"))
            before = old.get("status")
            lists = list(validate_lists(schema, tree["status"], Path("status")))
            if lists and next(validate_lists(schema, before, Path()), None) is None:
                found += lists
        if self._has_rules:
            found += self._ask_rules(tree, old, found)
        return found

    def _ask_rules(self, tree: Tree, old: Tree | None, found: ErrorList) -> ErrorList:
        """What the schema's CEL rules say; they are compiled when they are first asked."""
        if any(error.kind in _BLOCKING for error in found):
            return [field.invalid(Path(), None, _UNCHECKED)]
        from pybernetes.api.cel.rules import rule_tree
        from pybernetes.api.validation.rule_values import validate_rules

        self._rules = self._rules or rule_tree(self.source)
        return [] if self._rules is None else list(validate_rules(self._rules, tree, NEW if old is None else old))


def copied(value: Any) -> Any:
    """A deep copy in which a whole number is an int, however it was written (5.0), as Go's encoder has it."""
    if isinstance(value, dict):
        give_way()
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [copied(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _PLAIN:
        return int(value)
    return value


def has_rules(schema: Tree) -> bool:
    """Whether a rule stands anywhere in a schema."""
    if schema.get("x-kubernetes-validations"):
        return True
    below = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return any(has_rules(each) for each in below if isinstance(each, dict))
