"""What keeps a configuration from being applied: others own its fields."""

from __future__ import annotations

from collections.abc import Mapping

from pybernetes.api import errors
from pybernetes.api.patch.fields import FieldSet, paths
from pybernetes.api.patch.managed_fields import Entry, ManagerKey


class Conflicts(Exception):
    """Fields of an applied configuration that other managers own."""

    def __init__(self, fields: Mapping[ManagerKey, tuple[Entry, FieldSet]]) -> None:
        super().__init__("fields of other managers")
        self.fields = fields

    def status(self) -> errors.StatusError:
        """The error as the client sees it: one cause for each manager and field."""
        causes: list[dict[str, str]] = []
        lines: list[str] = []
        for key in sorted(self.fields):
            entry, fields = self.fields[key]
            lines.append(f"conflicts with {entry.describe()}:")
            for path in paths(fields):
                message = f"conflict with {entry.describe()}"
                causes.append({"reason": "FieldManagerConflict", "message": message, "field": path})
                lines.append(f"- {path}")
        if len(causes) == 1:
            return errors.apply_conflict(
                causes, f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
            )
        return errors.apply_conflict(causes, f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines))
