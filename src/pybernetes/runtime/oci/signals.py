"""Stop signals, as CRI and image configs name them."""

import re
import signal

from pybernetes.cri import types as t
from pybernetes.wire.numbers import parse_number

_SYNONYMS = {"SIGCLD": "SIGCHLD", "SIGPOLL": "SIGIO"}
_REALTIME = re.compile(r"SIGRT(MIN(PLUS)?(?P<up>\d{0,2})|MAX(MINUS)?(?P<down>\d{0,2}))")
_FIRST_REALTIME, _LAST_REALTIME = 34, 64


def stop_signal_number(asked: t.Signal, image: str) -> int:
    """The container's own, else the image's (a name or a number), else SIGTERM."""
    name = asked.name if asked != t.Signal.RUNTIME_DEFAULT else image.strip().upper()
    return _number(name) or signal.SIGTERM


def _number(name: str) -> int:
    if name.isdecimal():
        return parse_number(name, _LAST_REALTIME) or 0
    name = name if name.startswith("SIG") else f"SIG{name}"
    name = name.replace("+", "PLUS").replace("-", "MINUS")
    if found := _REALTIME.fullmatch(name):
        up, down = found["up"], found["down"]
        number = _FIRST_REALTIME + int(up or 0) if up is not None else _LAST_REALTIME - int(down or 0)
        return number if _FIRST_REALTIME <= number <= _LAST_REALTIME else 0
    name = _SYNONYMS.get(name, name)
    return int(signal.Signals[name]) if name in signal.Signals.__members__ else 0
