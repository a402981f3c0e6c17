"""`--chmod`: octal, or symbolic as chmod(1) has it. Pure."""

import re

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_SHIFT = {"u": 6, "g": 3, "o": 0}


def is_mode(text: str) -> bool:
    """Whether `change_mode` understands it."""
    if re.fullmatch(r"[0-7]{1,4}", text):
        return True
    return bool(text) and all(_CLAUSE.fullmatch(clause) for clause in text.split(","))


def change_mode(text: str, mode: int, is_directory: bool) -> int:
    """The permission bits that `text` makes of `mode`."""
    if text.isdigit():
        return int(text, 8)
    for clause in text.split(","):
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            raise ValueError(f"invalid mode {text!r}")
        who = set(found[1].replace("a", "ugo")) or set("ugo")
        for action, what in _ACTION.findall(found[2]):
            mode = _apply(mode, who, action, what, is_directory)
    return mode


def _apply(mode: int, who: set[str], action: str, what: str, is_directory: bool) -> int:
    bits = mask = 0
    for each in who:
        shift = _SHIFT[each]
        mask |= 7 << shift
        bits |= _permissions(mode, what, is_directory) << shift
    if "s" in what:
        bits |= (0o4000 if "u" in who else 0) | (0o2000 if "g" in who else 0)
    if "t" in what:
        bits |= 0o1000
    if action == "+":
        return mode | bits
    return mode & ~bits if action == "-" else mode & ~mask | bits


def _permissions(mode: int, what: str, is_directory: bool) -> int:
    if what in _SHIFT:
        return mode >> _SHIFT[what] & 7
    bits = (4 if "r" in what else 0) | (2 if "w" in what else 0) | (1 if "x" in what else 0)
    if "X" in what and (is_directory or mode & 0o111):
        bits |= 1
    return bits
