"""Which addresses and ports there are, and in which order they are given."""

import ipaddress
from random import Random

import pytest

from pybernetes.apiserver.allocators.addresses import AllocationError
from pybernetes.apiserver.allocators.node_ports import NodePorts
from pybernetes.apiserver.allocators.ranges import Range, address_range, port_range


def test_usable_addresses_and_the_lower_band() -> None:
    numbers = address_range(ipaddress.ip_network("10.96.0.0/12"))
    assert str(ipaddress.ip_address(numbers.first)) == "10.96.0.1"
    assert str(ipaddress.ip_address(numbers.last)) == "10.111.255.254"
    assert numbers.dynamic == numbers.first + 256
    small = address_range(ipaddress.ip_network("10.0.0.0/28"))
    assert (small.last - small.first, small.dynamic) == (13, small.first)


@pytest.mark.parametrize("text", ["30000-32767", "30000+2767"])
def test_ports(text: str) -> None:
    assert port_range(text) == Range(30000, 32767, 30086)


@pytest.mark.parametrize("text", ["", "x", "5-4", "0-1", "1-70000"])
def test_malformed_ports(text: str) -> None:
    with pytest.raises(ValueError, match=r"port range|invalid literal"):
        port_range(text)


def test_the_upper_band_is_chosen_from_first_and_each_number_once() -> None:
    numbers, taken = Range(1, 20, 11), set[int]()
    order = []
    while (number := numbers.choose(lambda n: n not in taken, Random(1))) is not None:
        taken.add(number)
        order.append(number)
    assert sorted(order) == list(range(1, 21))
    assert set(order[:10]) == set(range(11, 21))


def test_ports_follow_services_and_reservations() -> None:
    ports = NodePorts(Range(30000, 30001, 30000), Random(1))
    service = {"spec": {"ports": [{"nodePort": 30000}, {"nodePort": 30000}], "healthCheckNodePort": 30001}}
    ports.change(None, service)
    with pytest.raises(AllocationError, match="range is full"):
        ports.reserve_next()
    ports.change(service, {"spec": {"ports": [{"nodePort": 30000}]}})
    assert ports.reserve_next() == 30001
    with pytest.raises(AllocationError, match="already allocated"):
        ports.reserve(30001)
    ports.release({30001})
    ports.reserve(30001)
