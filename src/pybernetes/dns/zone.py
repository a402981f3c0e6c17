"""The zone of the cluster and the reverse zones of its ranges: what is answered for a name and a type.

Holds no packets and does no I/O; services are put in and taken out one by one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

from msgspec import Struct

from pybernetes.dns.records import AAAA, CNAME, NS, PTR, SOA, SRV, TXT, A, Data, Location, Records, undashed

TTL = 30
SCHEMA_VERSION = "1.1.0"
_REVERSE = ".in-addr.arpa"


class Record(Struct, frozen=True):
    """One record; its time to live is the zone's."""

    name: str
    kind: str
    data: Data


class Answer(Struct, frozen=True):
    """What the zone says: `exists` is False for a name that is not there (NXDOMAIN).

    `leads_to` is a name of another zone that the last record is an alias of: its records belong to the answer.
    """

    exists: bool
    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    leads_to: str = ""


class Zone:
    """The names of one cluster."""

    def __init__(self, domain: str, server_address: str = "", ranges: Iterable[str] = ()) -> None:
        self.domain = domain.rstrip(".").lower()
        self._ranges = [IPv4Network(text) for text in ranges]
        self._records: dict[tuple[str, str], dict[str, tuple[Data, ...]]] = {}
        self._services: dict[str, Records] = {}
        # How many records are at or below a name: a name with records below it exists, though it has none itself.
        self._below: Counter[str] = Counter()
        server = f"ns.dns.{self.domain}"
        fixed: Records = {(f"dns-version.{self.domain}", TXT): (SCHEMA_VERSION,), (self.domain, NS): (server,)}
        fixed[f"pod.{self.domain}", ""] = fixed[f"svc.{self.domain}", ""] = ()
        if server_address:
            fixed[server, A] = (server_address,)
        self.put("", fixed)

    def put(self, service: str, records: Records) -> None:
        """Replace the records of a service; none takes it out."""
        for key in self._services.pop(service, {}):
            owners = self._records[key]
            del owners[service]
            if not owners:
                del self._records[key]
            for name in _ancestors(key[0]):
                self._below[name] -= 1
                if not self._below[name]:
                    del self._below[name]
        if records:
            self._services[service] = records
        for key, data in records.items():
            self._records.setdefault(key, {})[service] = data
            self._below.update(_ancestors(key[0]))

    def covers(self, name: str) -> bool:
        """Whether the zone answers for the name; all others are somebody else's."""
        if name == self.domain or name.endswith(f".{self.domain}"):
            return True
        if (name, PTR) in self._records:
            return True
        address = _address_of(name)
        return address is not None and any(address in each for each in self._ranges)

    def look_up(self, name: str, kind: str) -> Answer:
        """The answer for a name that the zone covers, in lower case and without the final dot."""
        if kind == SOA and name == self.domain:
            return Answer(True, (self.authority(),))
        if (pod := self._pod(name)) is not None:
            return Answer(True, (Record(name, A, pod),) if kind == A else ())
        alias = self._of(name, CNAME)
        if alias and kind != CNAME:
            return self._follow(alias[0], kind)
        found = self._of(name, kind)
        return Answer(self._exists(name), found, self._addresses_of(found) if kind == SRV else ())

    def authority(self) -> Record:
        """Of the zone: comes with every answer that is empty."""
        return Record(self.domain, SOA, f"ns.dns.{self.domain}")

    def _of(self, name: str, kind: str) -> tuple[Record, ...]:
        owners = self._records.get((name, kind), {})
        return tuple(
            Record(name, kind, each) for each in dict.fromkeys(each for data in owners.values() for each in data)
        )

    def _follow(self, alias: Record, kind: str) -> Answer:
        """An alias within the cluster comes with what it stands for; an alias of an alias is not followed."""
        target = str(alias.data)
        if not self.covers(target):
            return Answer(True, (alias,), leads_to=target)
        return Answer(True, (alias, *self._of(target, kind)))

    def _addresses_of(self, locations: Sequence[Record]) -> tuple[Record, ...]:
        targets = dict.fromkeys(each.data.target for each in locations if isinstance(each.data, Location))
        return tuple(record for target in targets for kind in (A, AAAA) for record in self._of(target, kind))

    def _exists(self, name: str) -> bool:
        return self._below[name] > 0

    def _pod(self, name: str) -> str | None:
        """`10-244-0-5.<namespace>.pod.<domain>` is its own answer, as with CoreDNS' `pods insecure`."""
        rest = name.removesuffix(f".pod.{self.domain}")
        labels = rest.split(".")
        return (undashed(labels[0]) or None) if rest != name and len(labels) == 2 else None


def _ancestors(name: str) -> list[str]:
    """The name and all above it."""
    labels = name.split(".")
    return [".".join(labels[position:]) for position in range(len(labels))]


def _address_of(name: str) -> IPv4Address | None:
    """Of a reverse name."""
    labels = name.removesuffix(_REVERSE).split(".")
    if not name.endswith(_REVERSE) or len(labels) != 4 or not all(label.isdigit() for label in labels):
        return None
    try:
        return IPv4Address(".".join(reversed(labels)))
    except ValueError:
        return None
