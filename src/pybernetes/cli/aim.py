"""Next steps as they have to be typed to reach the cluster that was asked about, which may be another than is meant anyway."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pybernetes.cli.console import typed
from pybernetes.explain.causes import Cause, Finding

_KUBECTL = re.compile(r"\bkubectl (?=[a-z])")
_P8S = re.compile(r"\bp8s (?P<verb>(?:node|addons|image) [a-z]+|why|status|logs|restart|df)\b(?! -p\b| --profile\b)")


@dataclass(frozen=True, slots=True)
class Aim:
    """`context` and `profile` are "" where kubectl, or p8s, goes there anyway."""

    context: str = ""
    profile: str = ""
    why: str = ""
    """As `profile`, of p8s why, which goes by the context, too."""

    def __call__(self, step: str) -> str:
        if self.context:
            step = _KUBECTL.sub(f"kubectl --context {self.context} ", step)
        return typed(_P8S.sub(self._named, step))

    def _named(self, found: re.Match[str]) -> str:
        profile = self.why if found["verb"] == "why" else self.profile
        return found[0] + (f" -p {profile}" if profile else "")


def aimed(finding: Finding, at: Callable[[str], str]) -> Finding:
    return replace(finding, causes=tuple(_cause(each, at) for each in finding.causes))


def _cause(cause: Cause, at: Callable[[str], str]) -> Cause:
    because = tuple(_cause(each, at) for each in cause.because)
    return replace(cause, steps=tuple(at(step) for step in cause.steps), because=because)
