"""What has passed through the links of the calling thread's network namespace."""

from typing import NamedTuple

_FILE = "/proc/thread-self/net/dev"


class LinkCounters(NamedTuple):
    """Bytes and errors since the link was made."""

    received: int
    receive_errors: int
    sent: int
    send_errors: int


Counters = dict[str, LinkCounters]
"""By the link's name."""


def read_counters() -> Counters:
    with open(_FILE) as file:
        return parse(file.read())


def parse(text: str) -> Counters:
    """Of /proc/net/dev, below its two lines of headings."""
    found: Counters = {}
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        fields = [int(each) for each in numbers.split()]
        found[name.strip()] = LinkCounters(fields[0], fields[2], fields[8], fields[10])
    return found
