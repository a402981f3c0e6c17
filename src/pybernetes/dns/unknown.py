"""Services that are asked for and do not exist: whoever asks is told to others, once for each name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pybernetes.dns.messages import NXDOMAIN

Tell = Callable[[str, str], None]
"""Called with the address that asked and the name, "web.default.svc.cluster.local"."""

_KEPT = 1024
_HEADER_BYTES = 12


class UnknownNames:
    """Looks at answers that are sent. Only names of the form SERVICE.NAMESPACE.svc.DOMAIN are of interest: a search path
    makes many others that are not meant.
    """

    def __init__(self, domain: str, tell: Tell) -> None:
        self._suffix = f".svc.{domain}"
        self._tell = tell
        self._told: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def saw(self, answer: bytes, address: str) -> None:
        """An answer is sent to an address."""
        if len(answer) <= _HEADER_BYTES or answer[3] & 0xF != NXDOMAIN:
            return
        question = _name(answer)
        if (address, question) in self._told:
            return
        self._told[address, question] = None
        if len(self._told) > _KEPT:
            self._told.popitem(last=False)
        name = question.decode(errors="replace").lower()
        if name.endswith(self._suffix) and name.removesuffix(self._suffix).count(".") == 1:
            self._tell(address, name)


def _name(answer: bytes) -> bytes:
    """The name in question, which is never compressed (RFC 1035, section 4.1.2)."""
    labels, position = [], _HEADER_BYTES
    while position < len(answer) and (length := answer[position]):
        labels.append(answer[position + 1 : position + 1 + length])
        position += 1 + length
    return b".".join(labels)
