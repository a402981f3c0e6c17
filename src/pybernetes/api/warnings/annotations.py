"""Warnings about annotations of pod templates that were fields' forerunners."""

from __future__ import annotations

from typing import Final

from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.warnings.common import Texts

_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_PROFILES: Final = {"unconfined": "Unconfined", "runtime/default": "RuntimeDefault"}
_LOCAL: Final = "localhost/"


def template_annotation_texts(template: Tree, path: Path) -> Texts:
    """AppArmor profiles that no field repeats; `path` is the template's."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    if not any(key.startswith(_APPARMOR) for key in annotations):
        return
    spec = template.get("spec") or {}
    of_pod = (spec.get("securityContext") or {}).get("appArmorProfile")
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        key = f"{_APPARMOR}{container['name']}"
        own = (container.get("securityContext") or {}).get("appArmorProfile")
        if key in annotations and own is None and (of_pod is None or of_pod != _profile(annotations[key])):
            at = path.child("metadata", "annotations").key(key)
            yield f'{at}: deprecated since v1.30; use the "appArmorProfile" field instead'


def _profile(annotation: str) -> Tree | None:
    if annotation in _PROFILES:
        return {"type": _PROFILES[annotation]}
    name = annotation.removeprefix(_LOCAL)
    return {"type": "Localhost", "localhostProfile": name} if name and name != annotation else None
