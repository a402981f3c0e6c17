"""The conditions of a namespace that is being deleted: pure functions of what is left in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from pybernetes.api.types import core_v1


class Remains(Struct, frozen=True):
    """What is left: objects by resource ("pods", "widgets.example.com"), by finalizer, and what went wrong."""

    resources: Mapping[str, int] = field(default_factory=dict)
    finalizers: Mapping[str, int] = field(default_factory=dict)
    discovery_errors: Sequence[str] = ()
    deletion_errors: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.resources or self.discovery_errors or self.deletion_errors)


def conditions_of(
    old: Sequence[core_v1.NamespaceCondition], remains: Remains, now: str
) -> list[core_v1.NamespaceCondition]:
    """The five conditions in upstream's order and words; those that say the same as before keep their time."""
    known = {found.type: found for found in old}
    made = []
    for type, (status, reason, message) in _claims(remains).items():
        before = known.pop(type, None)
        if before is not None and (before.status, before.reason, before.message) == (status, reason, message):
            made.append(before)
            continue
        same = before is not None and before.status == status
        since = before.last_transition_time if same and before is not None else now
        made.append(
            core_v1.NamespaceCondition(
                type=type, status=status, reason=reason, message=message, last_transition_time=since
            )
        )
    return [*known.values(), *made]


def _claims(remains: Remains) -> dict[str, tuple[str, str, str]]:
    discovery = _joined(remains.discovery_errors)
    deletion = _joined(remains.deletion_errors)
    resources = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(remains.resources.items()))
    finalizers = ", ".join(
        f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items())
    )
    return {
        "NamespaceDeletionDiscoveryFailure": (
            ("True", "DiscoveryFailed", f"Discovery failed for some groups, {len(remains.discovery_errors)} failing: {discovery}")
            if remains.discovery_errors
            else ("False", "ResourcesDiscovered", "All resources successfully discovered")
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False", "ParsedGroupVersions", "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            ("True", "ContentDeletionFailed", f"Failed to delete all resource types, {len(remains.deletion_errors)} remaining: {deletion}")
            if remains.deletion_errors
            else ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
        ),
        "NamespaceContentRemaining": (
            ("True", "SomeResourcesRemain", f"Some resources are remaining: {resources}")
            if remains.resources
            else ("False", "ContentRemoved", "All content successfully removed")
        ),
        "NamespaceFinalizersRemaining": (
            ("True", "SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {finalizers}")
            if remains.finalizers
            else ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
        ),
    }  # fmt: skip


def _joined(messages: Sequence[str]) -> str:
    return ", ".join(sorted(messages))
