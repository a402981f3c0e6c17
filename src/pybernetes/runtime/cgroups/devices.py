"""Which devices a cgroup may use: the `devices` controller on v1, an eBPF program on v2."""

import ctypes
import os
import struct
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup, write

_PROG_LOAD, _PROG_ATTACH = 5, 8
_PROG_TYPE_CGROUP_DEVICE, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI = 15, 6, 2
_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}


def allow_devices(cgroup: Cgroup, rules: list[dict[str, Any]]) -> None:
    """Apply OCI device rules in order; the last one that fits a device decides."""
    directory = cgroup.directory("devices")
    if directory is not None:
        for rule in rules:
            write(os.path.join(directory, "devices.allow" if rule["allow"] else "devices.deny"), _v1(rule))
    elif cgroup.unified is not None:
        _attach(cgroup.unified, assemble(rules))


def _v1(rule: dict[str, Any]) -> str:
    if rule.get("type", "a") == "a":
        return "a"
    numbers = ("*" if rule.get(key, -1) < 0 else str(rule[key]) for key in ("major", "minor"))
    return f"{rule['type']} {':'.join(numbers)} {rule.get('access', 'rwm')}"


def assemble(rules: list[dict[str, Any]]) -> bytes:
    """An eBPF program over struct bpf_cgroup_dev_ctx: 1 allows, 0 denies; the last fitting rule comes first."""
    code = [
        _instruction(0x61, 2, 1, 0),  # r2 = ctx->access_type
        _instruction(0xBF, 3, 2),  # r3 = r2
        _instruction(0x54, 2, imm=0xFFFF),  # r2 &= 0xffff: block or character
        _instruction(0x74, 3, imm=16),  # r3 >>= 16: what is asked
        _instruction(0x61, 4, 1, 4),  # r4 = ctx->major
        _instruction(0x61, 5, 1, 8),  # r5 = ctx->minor
    ]
    for rule in reversed(rules):
        block = _rule(rule)
        code += block
        if len(block) == 2:  # fits every device; the verifier refuses code that cannot be reached
            return b"".join(code)
    return b"".join([*code, _instruction(0xB7, 0, imm=0), _instruction(0x95)])


def _rule(rule: dict[str, Any]) -> list[bytes]:
    tests: list[tuple[int, int, int]] = []  # opcode of "jump if not", register, value
    if rule.get("type", "a") != "a":
        tests.append((0x55, 2, _KINDS[rule["type"]]))
    asked = sum(_ACCESS[letter] for letter in rule.get("access") or "rwm")
    tests += [(0x55, reg, rule[key]) for key, reg in (("major", 4), ("minor", 5)) if rule.get(key, -1) >= 0]
    check_access = [] if asked == 7 else [_instruction(0xBF, 6, 3), _instruction(0x54, 6, imm=7 & ~asked)]
    length = len(tests) + len(check_access) + (1 if check_access else 0) + 2
    code: list[bytes] = []
    for opcode, register, value in tests:
        code.append(_instruction(opcode, register, offset=length - len(code) - 1, imm=value))
    if check_access:
        code += check_access
        code.append(_instruction(0x55, 6, offset=length - len(code) - 1, imm=0))
    return [*code, _instruction(0xB7, 0, imm=int(rule["allow"])), _instruction(0x95)]


def _instruction(opcode: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, src << 4 | dst, offset, imm)


def _attach(directory: str, program: bytes) -> None:
    code, licence = ctypes.create_string_buffer(program, len(program)), ctypes.create_string_buffer(b"Apache-2.0")
    attr = struct.pack(
        "<IIQQ", _PROG_TYPE_CGROUP_DEVICE, len(program) // 8, ctypes.addressof(code), ctypes.addressof(licence)
    )
    loaded = sys.bpf(_PROG_LOAD, attr.ljust(120, b"\0"))
    group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sys.bpf(
            _PROG_ATTACH, struct.pack("<IIII", group, loaded, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI).ljust(120, b"\0")
        )
    finally:
        os.close(group)
        os.close(loaded)
