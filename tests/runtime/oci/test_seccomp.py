"""Seccomp filters, run by an interpreter of classic BPF."""

import errno
import json
import operator
import platform
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.runtime.oci import bpf, seccomp
from pybernetes.runtime.oci.capabilities import DEFAULT

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
AMD64 = bpf.AUDIT_ARCH["x86_64"]
NUMBERS = seccomp._numbers()["x86_64"]
COMPARISONS = {
    "SCMP_CMP_EQ": operator.eq,
    "SCMP_CMP_NE": operator.ne,
    "SCMP_CMP_LT": operator.lt,
    "SCMP_CMP_LE": operator.le,
    "SCMP_CMP_GT": operator.gt,
    "SCMP_CMP_GE": operator.ge,
}
U64 = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**32 + 1, 2**63]))


def verdict(program: bytes, number: int, *args: int, arch: int = AMD64) -> int:
    """What the kernel would return for a call."""
    data = struct.pack("=IIQ6Q", number, arch, 0, *(*args, 0, 0, 0, 0, 0, 0)[:6])
    accumulator, counter = 0, 0
    while True:
        code, true, false, k = struct.unpack_from("=HBBI", program, counter * 8)
        counter += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, k)
            case 0x54:
                accumulator &= k
            case 0x15:
                counter += true if accumulator == k else false
            case 0x25:
                counter += true if accumulator > k else false
            case 0x35:
                counter += true if accumulator >= k else false
            case 0x06:
                return int(k)


def default(*added: str) -> bytes:
    profile = seccomp.default_profile((*DEFAULT, *added), "x86_64")
    return bpf.compile_filter(profile, NUMBERS, "x86_64")


def test_default_profile() -> None:
    program = default()
    for name in ("read", "execve", "openat", "futex", "ptrace", "chroot"):
        assert verdict(program, NUMBERS[name]) == ALLOW, name
    for name in (
        "mount",
        "unshare",
        "setns",
        "bpf",
        "keyctl",
        "reboot",
        "init_module",
        "userfaultfd",
        "io_uring_setup",
    ):
        assert verdict(program, NUMBERS[name]) == ERRNO | errno.EPERM, name


def test_namespaces_need_a_capability() -> None:
    threads, user_namespace = 0x3D0F00, 0x10000000
    assert verdict(default(), NUMBERS["clone"], threads) == ALLOW
    assert verdict(default(), NUMBERS["clone"], threads | user_namespace) == ERRNO | errno.EPERM
    assert verdict(default(), NUMBERS["clone3"]) == ERRNO | errno.ENOSYS
    for name in ("clone", "clone3", "mount", "unshare"):
        assert verdict(default("CAP_SYS_ADMIN"), NUMBERS[name], user_namespace) == ALLOW


def test_arguments_are_looked_at() -> None:
    program = default()
    assert verdict(program, NUMBERS["personality"], 0xFFFFFFFF) == ALLOW
    assert verdict(program, NUMBERS["personality"], 0x0400000) == ERRNO | errno.EPERM
    assert verdict(program, NUMBERS["socket"], 2) == ALLOW
    assert verdict(program, NUMBERS["socket"], 40) == ERRNO | errno.EPERM


def test_what_is_unknown_does_not_exist() -> None:
    program = default()
    assert verdict(program, 9999) == ERRNO | errno.ENOSYS
    assert verdict(program, 0x40000000) == ERRNO | errno.ENOSYS
    assert verdict(program, 0, arch=0x40000003) == ERRNO | errno.ENOSYS


@given(st.sampled_from(sorted(COMPARISONS)), U64, U64)
def test_comparisons_have_64_bits(op: str, value: int, argument: int) -> None:
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": value, "op": op}]}
    profile: dict[str, Any] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}
    program = bpf.compile_filter(profile, NUMBERS, "x86_64")
    allowed = verdict(program, NUMBERS["read"], 0, argument) == ALLOW
    assert allowed == COMPARISONS[op](argument, value)


@given(U64, U64, U64)
def test_masked_comparison(mask: int, value: int, argument: int) -> None:
    args = [{"index": 0, "value": mask, "valueTwo": value & mask, "op": "SCMP_CMP_MASKED_EQ"}]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": args}],
    }
    program = bpf.compile_filter(profile, NUMBERS, "x86_64")
    assert (verdict(program, NUMBERS["read"], argument) == ALLOW) == (argument & mask == value & mask)


def test_profile_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}))
    kinds = t.SecurityProfileProfileType
    profile = t.SecurityProfile(profile_type=kinds.Localhost, localhost_ref=str(path))
    assert seccomp.profile_for(t.LinuxContainerSecurityContext(seccomp=profile)) == json.loads(path.read_text())
    for broken in ('{"defaultAction": "NO"}', "[]", "{"):
        path.write_text(broken)
        with pytest.raises(InvalidError, match="cannot load seccomp profile"):
            seccomp.profile_for(t.LinuxContainerSecurityContext(seccomp=profile))


def test_no_profile_unless_asked_for() -> None:
    assert seccomp.profile_for(t.LinuxContainerSecurityContext()) is None
    privileged = t.LinuxContainerSecurityContext(privileged=True, seccomp=t.SecurityProfile())
    assert seccomp.profile_for(privileged) is None


def test_the_default_compiles_for_this_machine() -> None:
    assert len(seccomp.compile_profile(seccomp.default_profile(DEFAULT, platform.machine()))) % 8 == 0
