"""The seccomp profile of a container: the default one, a file's, or none."""

import errno
import json
import platform
from functools import cache
from pathlib import Path
from typing import Any

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.runtime.oci import capabilities
from pybernetes.runtime.oci.bpf import AUDIT_ARCH, ProfileError, compile_filter
from pybernetes.runtime.oci.seccomp_default import (
    ALLOWED,
    BY_ARCHITECTURE,
    BY_CAPABILITY,
    CLONE_NAMESPACES,
    PERSONALITIES,
)

_ALLOW, _DENY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}
_AF_VSOCK = 40


@cache
def _numbers() -> dict[str, dict[str, int]]:
    tables: dict[str, dict[str, int]] = json.loads((Path(__file__).parent / "facts/syscalls.json").read_text())
    return tables


def profile_for(context: t.LinuxContainerSecurityContext) -> dict[str, Any] | None:
    """OCI `linux.seccomp`, or None for unconfined, which is also what nothing asked for means. Raises InvalidError."""
    kinds = t.SecurityProfileProfileType
    if context.privileged or context.seccomp is None or platform.machine() not in AUDIT_ARCH:
        return None
    match context.seccomp.profile_type:
        case kinds.RuntimeDefault:
            return default_profile(tuple(capabilities.granted(context.capabilities, False)), platform.machine())
        case kinds.Localhost:
            return _load(context.seccomp.localhost_ref)
        case _:
            return None


def _load(path: str) -> dict[str, Any]:
    try:
        profile: dict[str, Any] = json.loads(Path(path).read_text())
        compile_profile(profile)
    except OSError as error:
        raise InvalidError(f"cannot load seccomp profile {path!r}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidError(f"cannot load seccomp profile {path!r}: {error}") from error
    return profile


def compile_profile(profile: dict[str, Any]) -> bytes:
    """The filter for this machine. Raises ProfileError."""
    machine = platform.machine()
    if machine not in AUDIT_ARCH:
        raise ProfileError(f"seccomp is not supported on {machine}")
    return _compile(json.dumps(profile), machine)


@cache
def _compile(profile: str, machine: str) -> bytes:
    return compile_filter(json.loads(profile), _numbers()[machine], machine)


@cache
def default_profile(granted: tuple[str, ...], machine: str) -> dict[str, Any]:
    """What a container with these capabilities needs; all else fails with EPERM."""
    names = [*ALLOWED, *BY_ARCHITECTURE[machine]]
    for capability, calls in BY_CAPABILITY.items():
        if capability in granted:
            names += calls
    rules = [_rule(names), *(_rule(["personality"], _equal(value)) for value in PERSONALITIES)]
    rules.append(_rule(["socket"], {"index": 0, "value": _AF_VSOCK, "op": "SCMP_CMP_NE"}))
    if "CAP_SYS_ADMIN" not in granted:
        no_namespace: dict[str, int | str] = {
            "index": 0,
            "value": CLONE_NAMESPACES,
            "valueTwo": 0,
            "op": "SCMP_CMP_MASKED_EQ",
        }
        rules.append(_rule(["clone"], no_namespace))
        rules.append({"names": ["clone3"], "action": _DENY, "errnoRet": errno.ENOSYS})
    return {
        "defaultAction": _DENY,
        "defaultErrnoRet": errno.EPERM,
        "architectures": _ARCHITECTURES[machine],
        "syscalls": rules,
    }


def _rule(names: list[str], *args: dict[str, int | str]) -> dict[str, Any]:
    return {"names": names, "action": _ALLOW, "args": list(args)}


def _equal(value: int) -> dict[str, int | str]:
    return {"index": 0, "value": value, "op": "SCMP_CMP_EQ"}
