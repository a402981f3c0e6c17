"""Services to names, and names to answers (Kubernetes DNS specification 1.1)."""

import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.api.types import meta_v1 as meta
from pybernetes.dns.records import Location, records_of, reverse_name, undashed
from pybernetes.dns.zone import Answer, Record, Zone

DOMAIN = "cluster.local"


def service(name: str = "web", **spec: object) -> v1.Service:
    given = {"cluster_ip": "10.96.0.9", "ports": [v1.ServicePort(name="http", port=80, protocol="TCP")], **spec}
    return v1.Service(
        metadata=meta.ObjectMeta(name=name, namespace="default"),
        spec=v1.ServiceSpec(**given),  # type: ignore[arg-type]
    )


def slice_of(*endpoints: discovery.Endpoint) -> discovery.EndpointSlice:
    ports = [discovery.EndpointPort(name="http", port=8080, protocol="TCP")]
    return discovery.EndpointSlice(address_type="IPv4", endpoints=list(endpoints), ports=ports)


def endpoint(address: str, hostname: str | None = None, ready: bool | None = True) -> discovery.Endpoint:
    conditions = discovery.EndpointConditions(ready=ready)
    return discovery.Endpoint(addresses=[address], hostname=hostname, conditions=conditions)


def zone(*services: v1.Service, slices: tuple[discovery.EndpointSlice, ...] = ()) -> Zone:
    made = Zone(DOMAIN, "10.96.0.10", ["10.96.0.0/12", "10.244.0.0/16"])
    for each in services:
        made.put(f"default/{each.metadata.name}", records_of(each, slices, DOMAIN))
    return made


def data(answer: Answer) -> list[object]:
    return [record.data for record in answer.records]


WEB = "web.default.svc.cluster.local"


def test_a_service_has_its_address() -> None:
    found = zone(service()).look_up(WEB, "A")
    assert found == Answer(True, (Record(WEB, "A", "10.96.0.9"),))


def test_a_named_port_has_a_location_with_its_address() -> None:
    found = zone(service()).look_up(f"_http._tcp.{WEB}", "SRV")
    assert data(found) == [Location(WEB, 80)]
    assert found.additional == (Record(WEB, "A", "10.96.0.9"),)


def test_an_address_leads_back_to_its_service() -> None:
    assert data(zone(service()).look_up("9.0.96.10.in-addr.arpa", "PTR")) == [WEB]


def test_a_headless_service_is_its_endpoints() -> None:
    slices = (slice_of(endpoint("10.244.0.5", "web-0"), endpoint("10.244.0.6"), endpoint("10.244.0.7", ready=False)),)
    names = zone(service(cluster_ip="None", cluster_ips=["None"]), slices=slices)
    assert data(names.look_up(WEB, "A")) == ["10.244.0.5", "10.244.0.6"]
    assert data(names.look_up(f"web-0.{WEB}", "A")) == ["10.244.0.5"]
    assert data(names.look_up(f"10-244-0-6.{WEB}", "A")) == ["10.244.0.6"]
    assert data(names.look_up("5.0.244.10.in-addr.arpa", "PTR")) == [f"web-0.{WEB}"]
    locations = names.look_up(f"_http._tcp.{WEB}", "SRV")
    assert data(locations) == [Location(f"web-0.{WEB}", 8080), Location(f"10-244-0-6.{WEB}", 8080)]
    assert [record.data for record in locations.additional] == ["10.244.0.5", "10.244.0.6"]
    assert not names.look_up(f"web-1.{WEB}", "A").exists


def test_a_headless_service_without_endpoints_does_not_exist() -> None:
    assert not zone(service(cluster_ip="None")).look_up(WEB, "A").exists


def test_an_external_name_is_an_alias() -> None:
    names = zone(
        service("out", type="ExternalName", cluster_ip="", external_name="Example.COM."),
        service("in", type="ExternalName", cluster_ip="", external_name=WEB),
        service(),
    )
    outside = names.look_up("out.default.svc.cluster.local", "A")
    assert (data(outside), outside.leads_to) == (["example.com"], "example.com")
    assert data(names.look_up("in.default.svc.cluster.local", "A")) == [WEB, "10.96.0.9"]
    assert data(names.look_up("out.default.svc.cluster.local", "CNAME")) == ["example.com"]


def test_an_alias_of_itself_ends() -> None:
    loop = service("loop", type="ExternalName", cluster_ip="", external_name="loop.default.svc.cluster.local")
    assert data(zone(loop).look_up("loop.default.svc.cluster.local", "A")) == ["loop.default.svc.cluster.local"]


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        (WEB, True),
        ("default.svc.cluster.local", True),
        ("svc.cluster.local", True),
        ("pod.cluster.local", True),
        ("cluster.local", True),
        (f"_tcp.{WEB}", True),
        ("other.default.svc.cluster.local", False),
        ("web.other.svc.cluster.local", False),
        ("other.svc.cluster.local", False),
        ("web.default.cluster.local", False),
        (f"x.{WEB}", False),
        ("8.0.96.10.in-addr.arpa", False),
        ("host-name.default.pod.cluster.local", False),
    ],
)
def test_a_name_without_the_type_exists_or_not(name: str, exists: bool) -> None:
    assert zone(service()).look_up(name, "MX") == Answer(exists)


def test_a_pods_name_is_its_address() -> None:
    assert data(zone().look_up("10-244-0-5.default.pod.cluster.local", "A")) == ["10.244.0.5"]
    assert zone().look_up("10-244-0-5.default.pod.cluster.local", "AAAA") == Answer(True)
    assert undashed("10-244-0-256") == undashed("1-2-3") == undashed("a-b-c-d") == ""


def test_the_zone_names_its_version_and_its_server() -> None:
    assert data(zone().look_up("dns-version.cluster.local", "TXT")) == ["1.1.0"]
    assert data(zone().look_up("cluster.local", "NS")) == ["ns.dns.cluster.local"]
    assert data(zone().look_up("ns.dns.cluster.local", "A")) == ["10.96.0.10"]
    assert zone().look_up("cluster.local", "SOA").records == (zone().authority(),)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (WEB, True),
        ("nothing.cluster.local", True),
        ("1.0.96.10.in-addr.arpa", True),
        ("1.0.244.10.in-addr.arpa", True),
        ("1.0.168.192.in-addr.arpa", False),
        ("0.244.10.in-addr.arpa", False),
        ("999.0.244.10.in-addr.arpa", False),
        ("example.com", False),
        ("notcluster.local", False),
        ("", False),
    ],
)
def test_only_the_clusters_names_are_ours(name: str, ours: bool) -> None:
    assert zone(service()).covers(name) is ours


def test_what_goes_leaves_nothing() -> None:
    names, untouched = zone(service()), zone()
    names.put("default/web", records_of(service(cluster_ip="10.96.0.11"), (), DOMAIN))
    assert data(names.look_up(WEB, "A")) == ["10.96.0.11"]
    assert not names.look_up("9.0.96.10.in-addr.arpa", "PTR").exists
    names.put("default/web", {})
    assert (names._records, names._below) == (untouched._records, untouched._below)


def test_two_services_may_lead_back_from_one_address() -> None:
    slices = (slice_of(endpoint("10.244.0.5")),)
    headless = {"cluster_ip": "None"}
    names = zone(service("a", **headless), service("b", **headless), slices=slices)
    reverse = reverse_name("10.244.0.5")
    assert len(names.look_up(reverse, "PTR").records) == 2
    names.put("default/a", {})
    assert data(names.look_up(reverse, "PTR")) == ["10-244-0-5.b.default.svc.cluster.local"]


def test_addresses_of_the_sixth_version_have_names() -> None:
    names = zone(service(cluster_ip="fd00::9"))
    assert data(names.look_up(WEB, "AAAA")) == ["fd00::9"]
    assert names.look_up(WEB, "A") == Answer(True)
    assert data(names.look_up(reverse_name("fd00::9"), "PTR")) == [WEB]
