"""The resolver's configuration of a step, as docker makes it of the machine's. Pure."""

from ipaddress import ip_address

from pybernetes.cri import types as t

PUBLIC = ("8.8.8.8", "8.8.4.4")
"""What docker falls back to where the machine has no resolver that could be reached from a container."""


def step_resolver(machine: str, uplink: str) -> t.DNSConfig:
    """`machine` is /etc/resolv.conf; a resolver on a loopback is of no use in a container, so that `uplink`, the file
    in which systemd-resolved names the servers behind it, is taken instead.
    """
    found = _parse(machine)
    if not found.servers and uplink:
        found = _parse(uplink)
    return found if found.servers else t.DNSConfig(list(PUBLIC), found.searches, found.options)


def _parse(text: str) -> t.DNSConfig:
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        key, *values = line.split() or [""]
        if key == "nameserver" and values and not _is_loopback(values[0]):
            servers.append(values[0])
        elif key in ("search", "domain"):
            searches = values
        elif key == "options":
            options += values
    return t.DNSConfig(servers, searches, options)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return True
