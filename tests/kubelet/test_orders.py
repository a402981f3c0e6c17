"""What a pod worker was told about the end of its pod."""

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.pod.orders import Orders
from pybernetes.kubelet.status.context import Verdict

POD = msgspec.convert({"spec": {"containers": [], "terminationGracePeriodSeconds": 30}}, v1.Pod)


def test_orders_only_shorten_the_time() -> None:
    orders = Orders(None)
    assert not orders.must_end(POD)
    assert orders.grace(POD) == 30
    for given, least in ((40, 30), (5, 5), (10, 5)):
        orders.end(None, given)
        assert orders.grace(POD) == least
    assert orders.must_end(POD)


def test_the_first_verdict_stands() -> None:
    orders = Orders(None)
    orders.end(Verdict("Evicted", "short of memory"), 5)
    orders.end(Verdict("Terminated", "the node shuts down"), 5)
    assert orders.verdict == Verdict("Evicted", "short of memory")
