"""ConfigMaps and Secrets: an immutable one stays as it is."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.api import field
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.resources.kind import KindStrategy

WORDS = "field is immutable when `immutable` is set"


@dataclass(slots=True)
class DataStrategy(KindStrategy):
    """`immutable: true` can neither be taken back nor worked around; a Secret's type never changes."""

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        if self.resource.plural == "secrets" and not new.get("type"):
            new["type"] = old.get("type", "")

    def validate_update(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        errors = self.validate(ctx, new)
        if self.resource.plural == "secrets" and new.get("type") != old.get("type"):
            errors.append(field.invalid(Path("type"), new.get("type"), "field is immutable"))
        if not old.get("immutable"):
            return errors
        if not new.get("immutable"):
            errors.append(field.forbidden(Path("immutable"), WORDS))
        for name in ("data", "binaryData"):
            if (new.get(name) or {}) != (old.get(name) or {}):
                errors.append(field.forbidden(Path(name), WORDS))
        return errors
