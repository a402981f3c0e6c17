"""Pod addresses: durable, unique, given back."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from pybernetes.cri.errors import CRIError
from pybernetes.runtime.network.addresses import Addresses

NETWORK = IPv4Network("10.244.0.0/29")


def test_addresses_in_turn(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path, NETWORK)
    assert addresses.gateway == IPv4Address("10.244.0.1")
    first = addresses.take("a")
    assert first == IPv4Address("10.244.0.2")
    addresses.release("a")
    addresses.release("a")
    assert addresses.take("b") == IPv4Address("10.244.0.3")


def test_none_is_left(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path, NETWORK)
    taken = {addresses.take(str(number)) for number in range(5)}
    assert taken == {IPv4Address(f"10.244.0.{number}") for number in range(2, 7)}
    with pytest.raises(CRIError, match="no IP addresses available"):
        addresses.take("one more")
    addresses.release("3")
    assert addresses.take("one more") in taken


def test_addresses_survive_a_restart(tmp_path: Path) -> None:
    held = Addresses(tmp_path, NETWORK).take("a")
    again = Addresses(tmp_path, NETWORK)
    assert again.taken() == {held: "a"}
    assert again.take("b") != held
