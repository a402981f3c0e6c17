"""Which checks a level has in a version: namespaces may pin the rules of an older one (KEP-2579)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct

from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.admit.pod_security import checks
from pybernetes.apiserver.stages.admit.pod_security.checks import Check, Finding, MetadataCheck, in_own_users, of_linux

LATEST: Final = 1 << 30
"""Stands for a minor version above all that there are."""


class Rule(Struct, frozen=True):
    """One thing that is checked. `versions` are the minor versions in which its rules changed; before the first there were none.

    A rule of a stricter level stands in the place of those that it `replaces`.
    """

    name: str
    versions: tuple[tuple[int, Check | MetadataCheck], ...]
    replaces: str = ""
    wants_metadata: tuple[int, ...] = ()

    def at(self, minor: int) -> Callable[[Tree, Tree], Finding | None] | None:
        """The check in a version; None where there is none."""
        found = [(since, check) for since, check in self.versions if since <= minor]
        if not found:
            return None
        since, check = found[-1]
        return check if since in self.wants_metadata else _without_metadata(check)  # type: ignore[return-value, arg-type]


def _without_metadata(check: Check) -> MetadataCheck:
    return lambda spec, metadata: check(spec)


# In the order in which upstream tells of them: by name, those of the stricter level last.
BASELINE: Final = (
    Rule("appArmorProfile", ((0, checks.apparmor),), wants_metadata=(0,)),
    Rule("capabilities_baseline", ((0, checks.capabilities),)),
    Rule("hostNamespaces", ((0, checks.host_namespaces),)),
    Rule("hostPathVolumes", ((0, checks.host_path),)),
    Rule("hostPorts", ((0, checks.host_ports),)),
    Rule("hostProbesAndHostLifecycle", ((34, checks.probe_hosts),)),
    Rule("privileged", ((0, checks.privileged),)),
    Rule("procMount", ((0, checks.proc_mount), (35, in_own_users(checks.proc_mount)))),
    Rule("seLinuxOptions", ((0, checks.selinux(0)), (31, checks.selinux(31)))),
    Rule(
        "seccompProfile_baseline",
        ((0, checks.seccomp_annotations), (19, checks.seccomp_baseline)),
        wants_metadata=(0,),
    ),
    Rule("sysctls", tuple((minor, checks.sysctls(minor)) for minor in (0, 27, 29, 32))),
    Rule("windowsHostProcess", ((0, checks.host_process),)),
)
RESTRICTED: Final = (
    Rule(
        "allowPrivilegeEscalation",
        ((8, checks.privilege_escalation), (25, of_linux(checks.privilege_escalation))),
    ),
    Rule(
        "capabilities_restricted",
        ((22, checks.dropped_capabilities), (25, of_linux(checks.dropped_capabilities))),
        replaces="capabilities_baseline",
    ),
    Rule("procMount_restricted", ((35, checks.proc_mount),), replaces="procMount"),
    Rule("restrictedVolumes", ((0, checks.volume_types),), replaces="hostPathVolumes"),
    Rule("runAsNonRoot", ((0, checks.run_as_non_root), (35, in_own_users(checks.run_as_non_root)))),
    Rule("runAsUser", ((23, checks.run_as_user), (35, in_own_users(checks.run_as_user)))),
    Rule(
        "seccompProfile_restricted",
        ((19, checks.seccomp_restricted), (25, of_linux(checks.seccomp_restricted))),
        replaces="seccompProfile_baseline",
    ),
)


@lru_cache(maxsize=64)
def checks_of(level: str, version: str) -> tuple[MetadataCheck, ...]:
    """The checks of a level in a version (`latest`, `v1.25`)."""
    minor = LATEST if version == "latest" else int(version.removeprefix("v1."))
    stricter = RESTRICTED if level == "restricted" else ()
    replaced = {rule.replaces for rule in stricter if rule.at(minor) is not None}
    rules = [rule for rule in BASELINE if rule.name not in replaced] if level != "privileged" else []
    return tuple(check for rule in (*rules, *stricter) if (check := rule.at(minor)) is not None)


def violations(level: str, version: str, pod: Tree) -> list[str]:
    """What the level forbids of the pod, or of a template of pods, as upstream lists it: `reason (detail)`."""
    return [f"{reason} ({detail})" for reason, detail in _found(level, version, pod)]


def reasons(level: str, version: str, pod: Tree) -> list[str]:
    """The same without details, for many pods at once."""
    return [reason for reason, _ in _found(level, version, pod)]


def _found(level: str, version: str, pod: Tree) -> Iterator[Finding]:
    spec, metadata = pod.get("spec") or {}, pod.get("metadata") or {}
    return (found for check in checks_of(level, version) if (found := check(spec, metadata)) is not None)
