"""What a container is created with: environment, commands, security, resources, names."""

import base64
import os
from pathlib import Path

import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.cri import types as t
from pybernetes.kubelet.cgroups import cgroup_parent, container_resources, pod_request, pod_resources
from pybernetes.kubelet.containers.dns import DnsSettings, Resolver, dns_config, parse_resolv_conf
from pybernetes.kubelet.containers.envfile import EnvFileError, find, read_variable
from pybernetes.kubelet.containers.expansion import UnknownVariableError, expand, expand_strictly
from pybernetes.kubelet.containers.fields import resource_value
from pybernetes.kubelet.containers.hosts import hosts_file, sandbox_hostname
from pybernetes.kubelet.containers.security import ImageUser, container_security
from pybernetes.kubelet.containers.serviceenv import service_variables
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.qos import oom_score_adj, qos_class
from pybernetes.kubelet.references import references_of

from .world import World, a_container, a_pod


def requirements(requests: dict[str, str], limits: dict[str, str]) -> v1.ResourceRequirements:
    return v1.ResourceRequirements(requests=dict(requests), limits=dict(limits))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$A", "$A"),
        ("$$$(A)", "$1"),
        ("$(A", "$(A"),
        ("a$", "a$"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_strict_expansion_names_what_is_missing() -> None:
    with pytest.raises(UnknownVariableError, match='missing value for "B"'):
        expand_strictly("$(B)", {})


async def test_environment_in_the_order_of_the_api(world: World) -> None:
    world.objects.config_maps["cm"] = v1.ConfigMap(data={"A": "from-cm", "B": "b"})
    world.objects.secrets["s"] = v1.Secret(data={"PASS": base64.b64encode(b"geheim").decode()})
    meta = meta_v1.ObjectMeta(name="my-db", namespace="default")
    port = v1.ServicePort(name="sql", port=5432)
    world.services.append(v1.Service(metadata=meta, spec=v1.ServiceSpec(cluster_ip="10.96.0.7", ports=[port])))
    field = v1.EnvVarSource(field_ref=v1.ObjectFieldSelector(field_path="status.podIP"))
    cpu = v1.EnvVarSource(resource_field_ref=v1.ResourceFieldSelector(resource="limits.cpu"))
    secret = v1.EnvVarSource(secret_key_ref=v1.SecretKeySelector(name="s", key="PASS"))
    absent = v1.EnvVarSource(secret_key_ref=v1.SecretKeySelector(name="s", key="NO", optional=True))
    container = a_container(
        env_from=[v1.EnvFromSource(config_map_ref=v1.ConfigMapEnvSource(name="cm"), prefix="P_")],
        env=[
            v1.EnvVar(name="P_A", value="own"),
            v1.EnvVar(name="URL", value="$(MY_DB_SERVICE_HOST):$(P_B)"),
            v1.EnvVar(name="IP", value_from=field),
            v1.EnvVar(name="CPUS", value_from=cpu),
            v1.EnvVar(name="PW", value_from=secret),
            v1.EnvVar(name="ABSENT", value_from=absent),
        ],
        command=["sh", "-c", "echo $(URL)"],
    )
    await world.apply(a_pod(containers=[container]))
    config = world.runtime.configs[world.runtime.named("c").id]
    variables = {entry.key: entry.value.decode() for entry in config.envs}
    assert variables["P_A"] == "own"
    assert variables["URL"] == "10.96.0.7:b"
    assert variables["IP"] == world.status().pod_ip
    assert variables["CPUS"] == "2"
    assert variables["PW"] == "geheim"
    assert "ABSENT" not in variables
    assert variables["MY_DB_PORT_5432_TCP_ADDR"] == "10.96.0.7"
    assert variables["MY_DB_SERVICE_PORT_SQL"] == "5432"
    assert config.command[2] == "echo 10.96.0.7:b"


def test_service_variables_without_links_are_those_of_the_api() -> None:
    def service(name: str, namespace: str) -> v1.Service:
        meta = meta_v1.ObjectMeta(name=name, namespace=namespace)
        return v1.Service(metadata=meta, spec=v1.ServiceSpec(cluster_ip="10.96.0.1", ports=[v1.ServicePort(port=443)]))

    services = [service("kubernetes", "default"), service("web", "app"), service("web", "other")]
    assert {n.split("_")[0] for n in service_variables(services, "app", False)} == {"KUBERNETES"}
    assert {n.split("_")[0] for n in service_variables(services, "app", True)} == {"KUBERNETES", "WEB"}


def test_qos_classes() -> None:
    both = {"cpu": "1", "memory": "1Gi"}
    assert qos_class(a_pod()) == "BestEffort"
    assert qos_class(a_pod(containers=[a_container(resources=requirements({}, both))])) == "Guaranteed"
    assert qos_class(a_pod(containers=[a_container(resources=requirements({"cpu": "1"}, {}))])) == "Burstable"
    mixed = [a_container("a", resources=requirements(both, both)), a_container("b")]
    assert qos_class(a_pod(containers=mixed)) == "Burstable"


def test_cgroup_settings() -> None:
    container = a_container(
        resources=requirements({"cpu": "250m", "memory": "64Mi"}, {"cpu": "500m", "memory": "128Mi"})
    )
    pod = a_pod(containers=[container])
    made = container_resources(pod, container, 2**30)
    assert (made.cpu_shares, made.cpu_quota, made.cpu_period) == (256, 50_000, 100_000)
    assert made.memory_limit_in_bytes == 128 * 2**20
    assert made.oom_score_adj == 1000 - 1000 * 64 // 1024
    assert cgroup_parent(pod, "/") == "/kubepods/burstable/poduid-p"
    assert cgroup_parent(a_pod(), "/p8s/x") == "/p8s/x/kubepods/besteffort/poduid-p"
    assert pod_resources(pod).memory_limit_in_bytes == 128 * 2**20
    assert oom_score_adj(a_pod(), a_container(), 2**30) == 1000


def test_a_pods_request_counts_its_init_phase_and_sidecars() -> None:
    def one(name: str, cpu: str, **more: str) -> v1.Container:
        return a_container(name, resources=requirements({"cpu": cpu}, {}), **more)

    pod = a_pod(
        containers=[one("a", "1"), one("b", "1")],
        init_containers=[one("side", "500m", restart_policy="Always"), one("big", "3")],
        overhead={"cpu": "100m"},
    )
    assert pod_request(pod, "cpu").milli_value == 3600


def test_non_root_is_checked_against_image_and_spec() -> None:
    container = a_container(security_context=v1.SecurityContext(run_as_non_root=True))
    pod = a_pod(containers=[container])
    with pytest.raises(ConfigError, match="container has runAsNonRoot and image will run as root"):
        container_security(pod, container, ImageUser(0))
    with pytest.raises(ConfigError, match=r"image has non-numeric user \(www\), cannot verify user is non-root"):
        container_security(pod, container, ImageUser(None, "www"))
    made = container_security(pod, container, ImageUser(33))
    assert made.run_as_user == t.Int64Value(value=33)


def test_security_defaults_and_privilege() -> None:
    plain = container_security(a_pod(), a_container(), ImageUser())
    assert "/proc/kcore" in plain.masked_paths
    assert plain.namespace_options
    assert plain.namespace_options.pid == t.NamespaceMode.CONTAINER
    mighty = a_container(security_context=v1.SecurityContext(privileged=True))
    made = container_security(a_pod(host_pid=True), mighty, ImageUser())
    assert (made.privileged, made.masked_paths) == (True, [])
    assert made.namespace_options
    assert made.namespace_options.pid == t.NamespaceMode.NODE


def test_dns_policies() -> None:
    host = parse_resolv_conf("nameserver 192.0.2.53 # own\nsearch lan.example\noptions edns0 ndots:1\n")
    settings = DnsSettings(["10.96.0.10"], "cluster.local", host)
    first = dns_config(a_pod(), settings)
    assert first.servers == ["10.96.0.10"]
    assert first.searches == ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan.example"]
    assert first.options == ["ndots:5"]
    assert dns_config(a_pod(dns_policy="Default"), settings).servers == ["192.0.2.53"]
    assert dns_config(a_pod(host_network=True), settings).servers == ["192.0.2.53"]
    own = v1.PodDNSConfig(nameservers=["192.0.2.1"], options=[v1.PodDNSConfigOption(name="ndots", value="2")])
    assert dns_config(a_pod(dns_policy="None", dns_config=own), settings) == t.DNSConfig(
        servers=["192.0.2.1"], options=["ndots:2"]
    )
    assert dns_config(a_pod(dns_config=own), settings).options == ["ndots:2"]
    assert dns_config(a_pod(), DnsSettings([], "c", Resolver(["192.0.2.9"]))).servers == ["192.0.2.9"]


def test_hosts_and_host_name() -> None:
    pod = a_pod(hostname="web", subdomain="sub", host_aliases=[v1.HostAlias(ip="192.0.2.7", hostnames=["x", "y"])])
    text = hosts_file(pod, ["10.244.0.5"], "cluster.local")
    assert "10.244.0.5\tweb.sub.default.svc.cluster.local\tweb\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n192.0.2.7\tx\ty\n")
    assert sandbox_hostname(pod, "cluster.local", "n1") == "web"
    assert sandbox_hostname(a_pod(host_network=True), "cluster.local", "n1") == "n1"
    fqdn = a_pod(hostname="web", subdomain="sub", set_hostname_as_fqdn=True)
    assert sandbox_hostname(fqdn, "cluster.local", "n1") == "web.sub.default.svc.cluster.local"


def test_references_are_found_everywhere() -> None:
    pod = a_pod(
        containers=[
            a_container(
                env_from=[v1.EnvFromSource(secret_ref=v1.SecretEnvSource(name="s1"))],
                env=[
                    v1.EnvVar(
                        name="A",
                        value_from=v1.EnvVarSource(config_map_key_ref=v1.ConfigMapKeySelector(name="c1", key="k")),
                    )
                ],
            )
        ],
        volumes=[v1.Volume(name="v", secret=v1.SecretVolumeSource(secret_name="s2"))],
        image_pull_secrets=[v1.LocalObjectReference(name="s3")],
    )
    assert {(kind.__name__, name) for kind, name in references_of(pod)} == {
        ("Secret", "s1"), ("ConfigMap", "c1"), ("Secret", "s2"), ("Secret", "s3"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "whole", "cpu", "memory"),
    [
        ({}, {}, "8", "1000"),
        ({"cpu": "0", "memory": "10"}, {}, "8", "10"),
        ({}, {"cpu": "2"}, "2", "1000"),
        ({"cpu": "1"}, {"cpu": "2", "memory": "500"}, "1", "500"),
    ],
)
def test_limits_that_a_container_has_not_are_the_pods_or_the_nodes(
    own: dict[str, str], whole: dict[str, str], cpu: str, memory: str
) -> None:
    container = a_container(resources=requirements({}, own))
    pod = a_pod(containers=[container], resources=requirements({}, whole) if whole else None)

    def told(name: str) -> str:
        selector = v1.ResourceFieldSelector(resource=f"limits.{name}")
        return resource_value(pod, container, selector, {"cpu": "8", "memory": "1000"})

    assert (told("cpu"), told("memory")) == (cpu, memory)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A='1'\n", "1"),
        ("  A='1' # why\nA='2'", "1"),
        ("\n# A='0'\n\t\nB='0'\nA='1'", "1"),
        ("A='one\ntwo # three'\nB=''", "one\ntwo # three"),
        ("A='$B \\\\ \"'", '$B \\\\ "'),
        ("A= '1'", ""),
        ("B='1'", ""),
        ("", ""),
        ("A='1'\r\n", "1"),
        ("A=1", None),
        ("A=", None),
        ("A ='1'", None),
        ("='1'\nA='1'", None),
        ("export\nA='1'", None),
        ("A='1", None),
        ("B='1'2\nA='1'", None),
        # What stands behind the answer is not looked at.
        ("A='1'\nB=2", "1"),
    ],
)
def test_files_of_variables(text: str, expected: str | None) -> None:
    if expected is not None:
        assert find(text, "A") == expected
        return
    with pytest.raises(EnvFileError):
        find(text, "A")


def test_a_file_of_variables_may_be_a_trap(tmp_path: Path) -> None:
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    volume.mkdir()
    outside.write_text("A='secret'")
    (volume / "inner").mkdir()
    (volume / "inner" / "env").write_text("A='1'")
    (volume / "link").symlink_to("inner/env")
    assert read_variable(volume, "inner/env", "A") == read_variable(volume, "link", "A") == "1"
    (volume / "out").symlink_to(outside)
    (volume / "up").symlink_to("../outside")
    os.mkfifo(volume / "pipe")
    (volume / "huge").write_bytes(b"#" * (1 << 20) + b"\nA='1'")
    for path in ("out", "up", "../outside", "pipe", "inner", "absent", "huge"):
        with pytest.raises(EnvFileError):
            read_variable(volume, path, "A")
