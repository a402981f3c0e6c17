"""An assembler of seccomp filters: OCI's `linux.seccomp` to classic BPF (linux/seccomp.h, linux/filter.h)."""

import errno
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

_LOAD, _JUMP_EQ, _JUMP_GT, _JUMP_GE, _AND, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x54, 0x06
_NUMBER, _ARCH, _ARGS = 0, 4, 16
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ACTIONS = {
    "SCMP_ACT_ALLOW": 0x7FFF0000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
}
_WITH_DATA = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_UNKNOWN = _ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS


class Condition(NamedTuple):
    """A comparison of one argument; `mask` only for MASKED_EQ."""

    argument: int
    op: str
    value: int
    mask: int


class Rule(NamedTuple):
    """All conditions hold: the action."""

    conditions: tuple[Condition, ...]
    action: int


class ProfileError(ValueError):
    """The profile names what cannot be compiled."""


def action_value(action: str, errno_ret: int | None) -> int:
    """What a filter returns for an OCI action."""
    if action not in _ACTIONS:
        raise ProfileError(f"seccomp action {action!r} is not supported")
    data = (errno.EPERM if errno_ret is None else errno_ret) if action in _WITH_DATA else 0
    return _ACTIONS[action] | data & 0xFFFF


def compile_filter(profile: Mapping[str, Any], numbers: Mapping[str, int], arch: str) -> bytes:
    """struct sock_filter[] of the profile. Calls of another architecture and calls newer than `numbers` get ENOSYS."""
    default = action_value(profile["defaultAction"], profile.get("defaultErrnoRet"))
    table = _table(profile.get("syscalls") or [], numbers)
    code = [
        _op(_LOAD, _ARCH),
        _op(_JUMP_EQ, AUDIT_ARCH[arch], 1, 0),
        _op(_RETURN, _UNKNOWN),
        _op(_LOAD, _NUMBER),
    ]
    if arch == "x86_64":
        code += [_op(_JUMP_GE, _X32_BIT, 0, 1), _op(_RETURN, _UNKNOWN)]
    for last, rules in _runs(table, default, max(numbers.values())):
        block = _block(rules, default)
        code += [_op(_JUMP_GT, last, len(block), 0), *block]
    code.append(_op(_RETURN, _UNKNOWN))
    if len(code) > 4096:
        raise ProfileError("seccomp profile is too large")
    return b"".join(code)


def _table(entries: list[dict[str, Any]], numbers: Mapping[str, int]) -> dict[int, list[Rule]]:
    """Rules by call number; a name that this architecture lacks is left out."""
    table: dict[int, list[Rule]] = {}
    for entry in entries:
        action = action_value(entry["action"], entry.get("errnoRet"))
        conditions = tuple(_condition(each) for each in entry.get("args") or [])
        for name in entry.get("names") or []:
            if name in numbers:
                table.setdefault(numbers[name], []).append(Rule(conditions, action))
    return table


def _condition(given: dict[str, Any]) -> Condition:
    if given["op"] == "SCMP_CMP_MASKED_EQ":
        return Condition(given["index"], given["op"], given.get("valueTwo", 0), given["value"])
    return Condition(given["index"], given["op"], given["value"], 0)


def _runs(table: dict[int, list[Rule]], default: int, highest: int) -> list[tuple[int, list[Rule]]]:
    """The call numbers in order, as (last number, rules) of neighbours that are treated alike."""
    runs: list[tuple[int, list[Rule]]] = []
    for number in range(highest + 1):
        rules = table.get(number) or [Rule((), default)]
        simple = all(not rule.conditions for rule in rules)
        if runs and simple and runs[-1][1] == rules:
            runs[-1] = (number, rules)
        else:
            runs.append((number, rules))
    return runs


def _block(rules: list[Rule], default: int) -> list[bytes]:
    """The first rule whose conditions hold decides; one without conditions holds always, and is asked last."""
    code: list[bytes] = []
    for rule in sorted(rules, key=lambda rule: not rule.conditions):
        code += _rule(rule)
        if not rule.conditions:
            return code
    return [*code, _op(_RETURN, default)]


def _rule(rule: Rule) -> list[bytes]:
    code = [_op(_RETURN, rule.action)]
    for condition in reversed(rule.conditions):
        code = _test(condition, len(code)) + code
    return code


def _test(condition: Condition, skip: int) -> list[bytes]:
    """Go on if the condition holds, else jump over the `skip` instructions that follow.

    An argument has 64 bits and the machine 32, so that the high words are compared first.
    """
    high_at, low_at = _ARGS + 8 * condition.argument + 4, _ARGS + 8 * condition.argument
    high, low = condition.value >> 32 & 0xFFFFFFFF, condition.value & 0xFFFFFFFF
    match condition.op:
        case "SCMP_CMP_EQ":
            return [_op(_LOAD, high_at), _op(_JUMP_EQ, high, 0, 2 + skip), _op(_LOAD, low_at), _op(_JUMP_EQ, low, 0, skip)]  # fmt: skip
        case "SCMP_CMP_NE":
            return [_op(_LOAD, high_at), _op(_JUMP_EQ, high, 0, 2), _op(_LOAD, low_at), _op(_JUMP_EQ, low, skip, 0)]
        case "SCMP_CMP_MASKED_EQ":
            mask_high, mask_low = condition.mask >> 32 & 0xFFFFFFFF, condition.mask & 0xFFFFFFFF
            return [
                _op(_LOAD, high_at),
                _op(_AND, mask_high),
                _op(_JUMP_EQ, high & mask_high, 0, 3 + skip),
                _op(_LOAD, low_at),
                _op(_AND, mask_low),
                _op(_JUMP_EQ, low & mask_low, 0, skip),
            ]
        case "SCMP_CMP_GT" | "SCMP_CMP_GE":
            jump = _JUMP_GT if condition.op == "SCMP_CMP_GT" else _JUMP_GE
            return _ordered(high_at, high, [_op(_LOAD, low_at), _op(jump, low, 0, skip)], above=0, below=skip)
        case "SCMP_CMP_LT" | "SCMP_CMP_LE":
            jump = _JUMP_GE if condition.op == "SCMP_CMP_LT" else _JUMP_GT
            return _ordered(high_at, high, [_op(_LOAD, low_at), _op(jump, low, skip, 0)], above=skip, below=0)
    raise ProfileError(f"seccomp operator {condition.op!r} is not supported")


def _ordered(high_at: int, high: int, low_test: list[bytes], above: int, below: int) -> list[bytes]:
    """Decide by the high word unless it is equal; `above` and `below` are how far to jump behind the low word's test."""
    behind = len(low_test)
    return [
        _op(_LOAD, high_at),
        _op(_JUMP_GT, high, behind + 1 + above, 0),
        _op(_JUMP_EQ, high, 0, behind + below),
        *low_test,
    ]


def _op(code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    if jump_true > 255 or jump_false > 255:
        raise ProfileError("seccomp profile has too many rules for one system call")
    return struct.pack("=HBBI", code, jump_true, jump_false, k & 0xFFFFFFFF)
