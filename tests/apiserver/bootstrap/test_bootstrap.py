"""What a server makes at its first start, and mends at each."""

from pathlib import Path

from tests.apiserver.inprocess import server

from pybernetes.apiserver.bootstrap.addresses import repair_addresses
from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.bootstrap.own_roles import OWN_ROLES
from pybernetes.apiserver.bootstrap.policy import mend

RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def test_a_fresh_cluster_has_what_upstreams_has(tmp_path: Path) -> None:
    async with server(tmp_path) as api:
        names = {item["metadata"]["name"] for item in (await api.get("/api/v1/namespaces")).tree["items"]}
        assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}
        for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings"):
            assert len((await api.get(f"{RBAC}/{plural}")).tree["items"]) == len(bootstrap_objects()[plural]) + len(
                OWN_ROLES.get(plural, ())
            )
        classes = (await api.get("/apis/scheduling.k8s.io/v1/priorityclasses")).tree["items"]
        assert {entry["metadata"]["name"]: entry["value"] for entry in classes} == {
            "system-cluster-critical": 2000000000,
            "system-node-critical": 2000001000,
        }
        cidr = (await api.get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes")).tree
        assert cidr["spec"]["cidrs"] == ["10.96.0.0/12"]


async def test_the_endpoints_are_the_servers_own_address(tmp_path: Path) -> None:
    async with server(tmp_path, "--advertise-address=10.244.0.1") as api:
        endpoints = (await api.get("/api/v1/namespaces/default/endpoints/kubernetes")).tree["subsets"]
        assert endpoints == [
            {"addresses": [{"ip": "10.244.0.1"}], "ports": [{"name": "https", "port": 1, "protocol": "TCP"}]}
        ]
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
        assert (await api.get(slices)).tree["endpoints"] == [
            {"addresses": ["10.244.0.1"], "conditions": {"ready": True}}
        ]


async def test_addresses_that_a_dead_server_left_behind_are_given_back(tmp_path: Path) -> None:
    async with server(tmp_path) as api:
        addresses = "/apis/networking.k8s.io/v1/ipaddresses"
        body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "clusterIP": "10.96.7.7"}}
        await api.post("/api/v1/namespaces/default/services", body)
        stray = (await api.get(f"{addresses}/10.96.7.7")).tree | {"metadata": {"name": "10.96.9.9"}}
        stray["metadata"]["labels"] = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
        await api.post(addresses, stray)
        await api.delete(f"{addresses}/10.96.7.7")
        await repair_addresses(api.services)
        assert (await api.get(f"{addresses}/10.96.9.9")).status == 200
        await api.clock.advance(120)
        await repair_addresses(api.services)
        assert (await api.get(f"{addresses}/10.96.9.9")).status == 404
        assert (await api.get(f"{addresses}/10.96.7.7")).tree["spec"]["parentRef"]["name"] == "s"


def role(*rules: dict[str, list[str]], auto: str = "true") -> dict[str, object]:
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": auto}
    return {"metadata": {"name": "r", "annotations": annotations}, "rules": list(rules)}


def test_what_is_missing_of_a_role_comes_back_and_what_was_added_stays() -> None:
    get = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    own = {"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"]}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert mend(role(own), role(get)) == role(own, get)
    assert mend(role(own, get), role(get)) is None
    assert mend(role(everything), role(get)) is None
    assert mend(role(own, auto="false"), role(get)) is None
