"""Which devices claims get: what requests, constraints and taints allow, and upstream's words when there are none."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.devices import allocator, matching
from pybernetes.scheduler.devices.pools import Candidate, Pool, Pools
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import dynamic_resources
from pybernetes.scheduler.plugins.dynamic_resources import plan_allocations
from pybernetes.scheduler.pod import PodInfo

from .world import World, node, pod

DRIVER = "gpus.test"


def device(name: str, *, taints: Iterable[dict[str, str]] = (), **attributes: Any) -> dict[str, Any]:
    kinds = {bool: "bool", int: "int", str: "string"}
    values = {name: {kinds[type(value)]: value} for name, value in attributes.items()}
    return {"name": name, "attributes": values, "taints": list(taints)}


def piece(
    pool: str, *devices: dict[str, Any], count: int = 1, generation: int = 1, **spec: Any
) -> resource.ResourceSlice:
    place = {} if {"nodeSelector", "allNodes", "nodeName"} & spec.keys() else {"nodeName": pool}
    whole = {"name": pool, "generation": generation, "resourceSliceCount": count}
    name = f"{pool}-{generation}-{devices[0]['name'] if devices else 'counters'}"
    tree = {"metadata": {"name": name}, "spec": {"driver": DRIVER, "pool": whole, "devices": devices, **place, **spec}}
    return msgspec.convert(tree, resource.ResourceSlice)


def ask(name: str = "gpu", *selectors: str, **fields: Any) -> dict[str, Any]:
    chosen = [{"cel": {"expression": text}} for text in selectors]
    return {"name": name, "deviceClassName": "gpus", "selectors": chosen, **fields}


def exactly(name: str = "gpu", *selectors: str, **fields: Any) -> dict[str, Any]:
    request = ask(name, *selectors, **fields)
    return {"name": request.pop("name"), "exactly": request}


class Devices(World):
    """With a class that selects the driver's devices, and claims that pods have."""

    def __init__(self, *slices: resource.ResourceSlice, nodes: str = "ab") -> None:
        super().__init__(*(node(name) for name in nodes))
        self.devices = self.snapshot.devices
        self.add_class("gpus", f"device.driver == '{DRIVER}'")
        for one in slices:
            self.devices.set_slice(None, one)

    def add_class(self, name: str, *selectors: str, **spec: Any) -> None:
        chosen = [{"cel": {"expression": text}} for text in selectors]
        tree = {"metadata": {"name": name}, "spec": {"selectors": chosen, **spec}}
        self.devices.set_class(None, msgspec.convert(tree, resource.DeviceClass))

    def add_claim(self, name: str, *requests: dict[str, Any], **devices: Any) -> None:
        tree = {
            "metadata": {"name": name, "namespace": "default", "uid": name},
            "spec": {"devices": {"requests": requests, **devices}},
        }
        self.devices.set_claim(None, msgspec.convert(tree, resource.ResourceClaim))

    def get(self, claim: str, *requests: dict[str, Any], **devices: Any) -> str:
        """What a pod's claim gets: "node: device device", or why it gets nothing; it is kept."""
        self.add_claim(claim, *requests, **devices)
        info = user(f"of-{claim}", claim)
        where = self.place(info)
        if where not in self.snapshot.nodes:
            return where
        made = plan_allocations(info, self.snapshot.nodes[where], self.devices) or {}
        self.devices.assume(made)
        return f"{where}: {' '.join(one.device for one in self.allocation(claim).results)}"

    def allocation(self, claim: str) -> resource.DeviceAllocationResult:
        found = self.devices.pending["default", claim].devices
        assert found
        return found


def user(name: str, *claims: str) -> PodInfo:
    return pod(name, resourceClaims=[{"name": claim, "resourceClaimName": claim} for claim in claims])


NONE = "0/2 nodes are available: 2 cannot allocate all claims."


def test_a_pod_goes_where_its_devices_are() -> None:
    world = Devices(piece("b", device("0"), device("1")))
    assert world.get("one", exactly()) == "b: 0"
    assert world.get("two", exactly()) == "b: 1"
    assert world.get("three", exactly()) == NONE
    selector = world.devices.pending["default", "one"].node_selector
    assert selector
    assert [one.values for term in selector.node_selector_terms for one in term.match_fields] == [["b"]]


def test_an_allocated_claim_keeps_its_pods_where_it_is() -> None:
    world = Devices(piece("b", device("0")))
    assert world.get("one", exactly()) == "b: 0"
    claim = world.devices.claims["default", "one"]
    allocation = world.devices.pending.pop(("default", "one"))
    status = replace(claim.status, allocation=allocation)
    world.devices.set_claim(claim, replace(claim, status=status))
    assert world.place(user("second", "one")) == "b"
    world.snapshot.remove_node("b")
    assert world.place(user("third", "one")) == "0/1 nodes are available: 1 resourceclaim not available on the node."


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (("device.attributes['gpus.test'].model == 'large'",), "a: 1"),
        (("device.attributes['gpus.test'].cores >= 8", "device.attributes['gpus.test'].model != 'large'"), "a: 2"),
        (("'model' in device.attributes['other.test']",), NONE),
        (
            ("device.attributes['gpus.test'].absent",),
            "0/2 nodes are available: claim default/c: selector #0: CEL runtime error: no such key: absent.",
        ),
    ],
)
def test_selectors(selectors: tuple[str, ...], expected: str) -> None:
    devices = (
        device("0", model="small", cores=4),
        device("1", model="large", cores=8),
        device("2", model="huge", cores=16),
    )
    assert Devices(piece("a", *devices)).get("c", exactly("gpu", *selectors)) == expected


def test_counts_and_all() -> None:
    world = Devices(piece("a", device("0"), device("1"), device("2")))
    assert world.get("two", exactly(count=2)) == "a: 0 1"
    assert world.get("all", exactly(allocationMode="All")) == NONE
    assert world.get("admin", exactly(allocationMode="All", adminAccess=True)) == "a: 0 1 2"
    assert world.get("last", exactly()) == "a: 2"


def test_the_first_alternative_that_can_be_had() -> None:
    world = Devices(piece("a", device("0", model="small"), device("1", model="small")))
    world.add_class("slow", config=[{"opaque": {"driver": DRIVER, "parameters": {"slow": True}}}])
    large = ask("large", "device.attributes['gpus.test'].model == 'large'")
    small = {**ask("small", count=2), "deviceClassName": "slow"}
    config = [
        {"requests": [f"gpu/{name}"], "opaque": {"driver": DRIVER, "parameters": {"for": name}}}
        for name in ("large", "small")
    ]
    assert world.get("c", {"name": "gpu", "firstAvailable": [large, small]}, config=config) == "a: 0 1"
    found = world.allocation("c")
    assert {one.request for one in found.results} == {"gpu/small"}
    assert [(one.source, one.requests) for one in found.config] == [
        ("FromClass", ["gpu/small"]), ("FromClaim", ["gpu/small"]),
    ]  # fmt: skip


def test_devices_that_have_to_be_alike() -> None:
    world = Devices(piece("a", device("0", numa=0), device("1", numa=1), device("2"), device("3", numa=1)))
    alike = [{"matchAttribute": "gpus.test/numa"}]
    assert world.get("c", exactly("x"), exactly("y"), constraints=alike) == "a: 1 3"
    assert world.get("d", exactly("x"), exactly("y"), constraints=alike) == NONE
    assert world.get("e", exactly("x"), exactly("y"), constraints=[{"matchAttribute": "gpus.test/numa", "requests": ["x"]}]) == "a: 0 2"  # fmt: skip


def test_taints_of_devices() -> None:
    taint = {"key": "broken", "value": "yes", "effect": "NoSchedule"}
    world = Devices(piece("a", device("0", taints=[taint])))
    assert world.get("c", exactly()) == NONE
    tolerations = [{"key": "broken", "operator": "Exists"}]
    assert world.get("d", exactly(tolerations=tolerations)) == "a: 0"
    assert [one.key for one in world.allocation("d").results[0].tolerations] == ["broken"]


def test_parts_of_one_device_share_what_it_has() -> None:
    def part(name: str, memory: str) -> dict[str, Any]:
        return {"name": name, "consumesCounters": [{"counterSet": "gpu", "counters": {"memory": {"value": memory}}}]}

    shared = [{"name": "gpu", "counters": {"memory": {"value": "10Gi"}}}]
    parts = (part("half", "5Gi"), part("most", "6Gi"), part("rest", "5Gi"))
    world = Devices(piece("a", *parts, count=2), piece("a", count=2, sharedCounters=shared))
    assert world.get("one", exactly()) == "a: half"
    assert world.get("two", exactly()) == "a: rest"
    assert world.get("three", exactly()) == NONE


def test_a_pool_of_which_only_a_part_is_known() -> None:
    world = Devices(piece("a", device("0"), count=2))
    assert world.get("one", exactly()) == NONE
    assert "currently being updated" in world.get("all", exactly(allocationMode="All"))
    world.devices.set_slice(None, piece("a", device("1"), count=2))
    assert world.get("two", exactly()) == "a: 0"
    world.devices.set_slice(None, piece("a", device("new"), generation=2))
    assert world.get("three", exactly()) == "a: new"


def test_devices_that_several_nodes_reach() -> None:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}]}
    world = Devices(piece("net", device("0"), nodeSelector={"nodeSelectorTerms": [term]}))
    assert world.get("one", exactly()) == "b: 0"
    world.devices.set_slice(None, piece("far", device("0"), allNodes=True))
    assert world.get("two", exactly()) in ("a: 0", "b: 0")
    assert world.devices.pending["default", "two"].node_selector is None


def test_what_keeps_a_pod_from_every_node() -> None:
    world = Devices(piece("a", device("0")))

    def why(info: PodInfo) -> str:
        return world.place(info).removeprefix("0/2 nodes are available: ")

    template = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    assert why(pod("p", resourceClaims=template)) == 'pod "default/p": ResourceClaim not created yet.'
    assert why(user("p", "gone")) == 'resourceclaim.resource.k8s.io "gone" not found.'
    world.add_claim("c", {"name": "gpu", "exactly": {"deviceClassName": "none"}})
    assert why(user("p", "c")) == "request gpu: device class none does not exist."
    made = [{"name": "gpu", "resourceClaimName": None}]
    assert world.place(pod("p", resourceClaims=template, status={"resourceClaimStatuses": made})) in ("a", "b")


def hopeless(node: str) -> resource.ResourceSlice:
    """Thirty-two devices of fifteen kinds: sixteen that are each of another kind would be looked for without end."""
    return piece(node, *(device(f"d{number:02}", kind=f"k{number % 15}") for number in range(32)))


DISTINCT = [{"distinctAttribute": f"{DRIVER}/kind"}]


def test_a_search_without_end_is_ended() -> None:
    world = Devices(hopeless("a"), nodes="a")
    assert "node a: timed out trying to allocate devices" in world.get("c", exactly(count=16), constraints=DISTINCT)


def test_a_decision_does_not_wait_for_many_such_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "MAX_TRIES", 100)
    searched: list[str] = []
    pools_of = Pools.of

    def noted(pools: Pools, where: NodeState) -> list[Pool]:
        searched.append(where.name)
        return pools_of(pools, where)

    monkeypatch.setattr(Pools, "of", noted)
    world = Devices(*map(hopeless, "abcdefgh"), nodes="abcdefgh")
    told = world.get("c", exactly(count=16), constraints=DISTINCT)
    assert all(f"node {name}: timed out trying to allocate devices" in told for name in "abcdefgh")
    assert len(searched) == dynamic_resources.MAX_LATE


def test_a_selector_is_judged_once_for_a_device_until_its_slice_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    variables = matching._variables

    def noted(candidate: Candidate) -> dict[str, object]:
        judged.append(candidate.device.name)
        return variables(candidate)

    monkeypatch.setattr(matching, "_variables", noted)
    before, after = (piece("shared", device("0", model=model), device("1"), allNodes=True) for model in ("old", "new"))
    world = Devices(before)
    old, new = (f'device.attributes["{DRIVER}"].?model.orValue("") == "{model}"' for model in ("old", "new"))
    assert world.get("first", exactly("gpu", new)) == NONE
    assert world.get("again", exactly("gpu", new)) == NONE
    assert sorted(judged) == ["0", "0", "1", "1"]  # by the class and by the request, on whatever node
    world.devices.set_slice(before, after)
    assert world.get("third", exactly("gpu", old)) == NONE
    assert world.get("fourth", exactly("gpu", new)).endswith(": 0")


def test_a_slice_that_moves_takes_its_devices_along() -> None:
    before, after = piece("b", device("0")), piece("b", device("0"), nodeName="a")
    world = Devices(before)
    world.devices.set_slice(before, after)
    assert world.get("one", exactly()) == "a: 0"
    world.devices.set_slice(after, None)
    assert world.get("two", exactly()) == NONE
