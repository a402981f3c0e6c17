"""The labels by which a namespace names a level and its version, for each of three modes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

LABEL: Final = "pod-security.kubernetes.io/"
LEVELS: Final = ("privileged", "baseline", "restricted")
"""From the loosest to the strictest."""
MODES: Final = ("enforce", "audit", "warn")


VERSION: Final = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")


def policy(labels: Mapping[str, str], mode: str) -> tuple[str, str]:
    """Level and version of a mode.

    A level that is none is the strictest where it is enforced and says nothing in the other modes; what is enforced
    is warned of, too, unless another level is named for that.
    """
    level = labels.get(LABEL + mode)
    if level is None and mode == "warn" and labels.get(f"{LABEL}enforce") in LEVELS[1:]:
        level, version = policy(labels, "enforce")
        return level, _version(labels, mode, version)
    if level is not None and level not in LEVELS:
        level = "restricted" if mode == "enforce" else "privileged"
    return level or "privileged", _version(labels, mode, "latest")


def _version(labels: Mapping[str, str], mode: str, otherwise: str) -> str:
    version = labels.get(f"{LABEL}{mode}-version", otherwise)
    return version if VERSION.fullmatch(version) else "latest"
