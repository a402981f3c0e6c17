"""A batch of changes to one table, taken by the kernel as a whole or not at all (nfnetlink)."""

import errno
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pybernetes.proxy.backends.nftables.expressions import Rule
from pybernetes.proxy.backends.nftables.layout import Hook, Set
from pybernetes.wire import netlink as nl

_NETLINK_NETFILTER, _SUBSYSTEM, _IPV4 = 12, 10, 2
_BEGIN, _END = 16, 17
_NEWTABLE, _GETTABLE, _DELTABLE, _NEWCHAIN, _DELCHAIN = 0, 1, 2, 3, 5
_NEWRULE, _DELRULE, _NEWSET, _DELSET, _NEWSETELEM, _DELSETELEM = 6, 8, 9, 11, 12, 14
_ELEMENTS_PER_MESSAGE = 400
# A transaction is one message: 2 KiB for each of fifty thousand services.
_SEND_BUFFER, _RECEIVE_BUFFER = 128 << 20, 16 << 20
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_WORD = 4


class Transaction:
    """Changes to the IPv4 table `name`, in the order in which they are called."""

    def __init__(self, name: str) -> None:
        self._table = nl.text(1, name)
        self._steps: list[tuple[int, int, bytes]] = []

    def __len__(self) -> int:
        return len(self._steps)

    def reset_table(self) -> None:
        """An empty table, whether or not there was one."""
        self.delete_table()
        self._add(_NEWTABLE, nl.CREATE)

    def delete_table(self) -> None:
        """No table, whether or not there was one."""
        self._add(_NEWTABLE, nl.CREATE)
        self._add(_DELTABLE)

    def add_set(self, kind: Set) -> None:
        body = nl.text(2, kind.name) + nl.be32(3, kind.flags) + nl.be32(4, kind.key_type)
        body += nl.be32(5, kind.key_words * _WORD)
        if kind.data_type:
            body += nl.be32(6, kind.data_type) + nl.be32(7, kind.data_words * _WORD)
        if kind.size:
            body += nl.nested(9, nl.be32(1, kind.size))
        self._add(_NEWSET, nl.CREATE, body + nl.be32(10, len(self._steps)))

    def delete_set(self, name: str) -> None:
        """With its elements; no rule may use it."""
        self._add(_DELSET, 0, nl.text(2, name))

    def add_chain(self, name: str, hook: Hook | None = None) -> None:
        """A chain if it is missing; nothing happens to the rules of one that is there."""
        body = nl.text(3, name)
        if hook:
            body += nl.nested(4, nl.be32(1, hook.number), nl.be32(2, hook.priority & 0xFFFFFFFF))
            body += nl.text(7, hook.kind)
        self._add(_NEWCHAIN, nl.CREATE, body)

    def delete_chain(self, name: str) -> None:
        """The chain must be empty, and nothing may lead to it."""
        self._add(_DELCHAIN, 0, nl.text(3, name))

    def flush_chain(self, name: str) -> None:
        self._add(_DELRULE, 0, nl.text(2, name))

    def add_rules(self, chain: str, rules: Sequence[Rule]) -> None:
        for rule in rules:
            self._add(_NEWRULE, nl.CREATE | nl.APPEND, nl.text(2, chain) + nl.nested(4, *rule))

    def add_elements(self, set_name: str, elements: Mapping[bytes, bytes]) -> None:
        """Elements by key, with their data as an attribute (b"" in a set)."""
        self._elements(_NEWSETELEM, nl.CREATE, set_name, [(key, data) for key, data in elements.items()])

    def delete_elements(self, set_name: str, keys: Sequence[bytes]) -> None:
        self._elements(_DELSETELEM, 0, set_name, [(key, b"") for key in keys])

    def _elements(self, kind: int, flags: int, set_name: str, elements: list[tuple[bytes, bytes]]) -> None:
        for start in range(0, len(elements), _ELEMENTS_PER_MESSAGE):
            listed = b"".join(
                nl.nested(1, nl.nested(1, nl.attribute(1, key)), nl.nested(2, data) if data else b"")
                for key, data in elements[start : start + _ELEMENTS_PER_MESSAGE]
            )
            self._add(kind, flags, nl.text(2, set_name) + nl.nested(3, listed))

    def _add(self, kind: int, flags: int = 0, body: bytes = b"") -> None:
        self._steps.append((kind, flags, self._table + body))

    def encode(self) -> bytes:
        """The batch; only its last change asks for an acknowledgement, errors come unasked."""
        batch = struct.pack("!BBH", 0, 0, _SUBSYSTEM)
        family = struct.pack("!BBH", _IPV4, 0, 0)
        parts = [nl.message(_BEGIN, nl.REQUEST, 0, batch)]
        for number, (kind, flags, body) in enumerate(self._steps, 1):
            last = nl.ACK if number == len(self._steps) else 0
            parts.append(nl.message(_SUBSYSTEM << 8 | kind, flags | last | nl.REQUEST, number, family + body))
        parts.append(nl.message(_END, nl.REQUEST, len(self._steps) + 1, batch))
        return b"".join(parts)


class Connection:
    """An nfnetlink socket in the network namespace in which it was opened. Calls block, for milliseconds."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.settimeout(10)
        with suppress(PermissionError):  # then batches are limited by the system's default
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def commit(self, transaction: Transaction) -> None:
        """Raises the OSError of the first change that the kernel refuses; then none was made."""
        if not len(transaction):
            return
        self._socket.send(transaction.encode())
        failure: OSError | None = None
        while True:
            for answer in nl.messages(self._socket.recv(1 << 20)):
                if answer.kind != nl.ERROR:
                    continue
                failure = failure or nl.error_of(answer)
                if answer.sequence in (0, len(transaction)):
                    if failure is not None:
                        raise failure
                    return

    def has_table(self, name: str) -> bool:
        """Whether the IPv4 table exists."""
        body = struct.pack("!BBH", _IPV4, 0, 0) + nl.text(1, name)
        self._socket.send(nl.message(_SUBSYSTEM << 8 | _GETTABLE, nl.REQUEST, 1, body))
        for answer in nl.messages(self._socket.recv(1 << 16)):
            if answer.kind == nl.ERROR and (error := nl.error_of(answer)) is not None:
                if error.errno == errno.ENOENT:
                    return False
                raise error
        return True
