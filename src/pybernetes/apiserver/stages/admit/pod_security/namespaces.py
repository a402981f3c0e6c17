"""PodSecurity of namespaces: their labels are levels and versions, and a stricter level tells which pods it is too late for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pybernetes.api import errors, field
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.pod_security.levels import LABEL, LEVELS, MODES, VERSION, policy
from pybernetes.apiserver.stages.admit.pod_security.versions import reasons
from pybernetes.apiserver.stages.objects import Objects

PODS_CHECKED: Final = 3000
_LABELS: Final = Path("metadata").child("labels")


def check_namespace(attributes: Attributes, objects: Objects) -> None:
    """Raises StatusError 422 for labels that are wrong and were not so before."""
    assert attributes.object is not None
    metadata = attributes.object["metadata"]
    name, labels = metadata["name"], metadata.get("labels") or {}
    old = None if attributes.old is None else attributes.old["metadata"].get("labels") or {}
    wrong = list(_wrong(labels))
    if wrong and (old is None or wrong != list(_wrong(old))):
        raise errors.invalid("", "Namespace", name, wrong)
    if old is None:
        return
    (level, version), (old_level, old_version) = policy(labels, "enforce"), policy(old, "enforce")
    relaxed = version == old_version and LEVELS.index(level) <= LEVELS.index(old_level)
    if level != "privileged" and not relaxed:
        for warning in _violations(objects, name, level, version):
            attributes.ctx.warn(warning)


def _wrong(labels: Mapping[str, str]) -> Iterator[FieldError]:
    for mode in MODES:
        level, version = LABEL + mode, f"{LABEL}{mode}-version"
        if level in labels and labels[level] not in LEVELS:
            yield field.invalid(_LABELS.key(level), labels[level], f"must be one of {', '.join(LEVELS)}")
        if version in labels and not VERSION.fullmatch(labels[version]):
            yield field.invalid(_LABELS.key(version), labels[version], 'must be "latest" or "v1.x"')


def _violations(objects: Objects, namespace: str, level: str, version: str) -> Iterator[str]:
    """One line for all pods of the namespace for which the level says the same."""
    pods = objects.list("", "pods", namespace)
    if len(pods) > PODS_CHECKED:
        checked = f"the first {PODS_CHECKED} of {len(pods)} existing pods"
        yield f"new PodSecurity enforce level only checked against {checked}"
    named: dict[str, list[str]] = {}
    for pod in pods[:PODS_CHECKED]:
        if found := reasons(level, version, pod):
            named.setdefault(", ".join(found), []).append(pod["metadata"]["name"])
    if named:
        shown = field.quote(f"{level}:{version}")
        yield f"existing pods in namespace {field.quote(namespace)} violate the new PodSecurity enforce level {shown}"
    yield from sorted(f"{_some(names)}: {reason}" for reason, names in named.items())


def _some(names: list[str]) -> str:
    others = len(names) - 1
    return min(names) + (f" (and {others} other pod{'s' * (others > 1)})" if others else "")
