"""The node's status, admission to it, options and names of images."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.cri import types as t
from pybernetes.kubelet.admission import admit
from pybernetes.kubelet.images.credentials import credentials_for
from pybernetes.kubelet.node.health import Pressures, Thresholds
from pybernetes.kubelet.node.machine import Machine, read_machine
from pybernetes.kubelet.node.machinery import Runtime, prepare
from pybernetes.kubelet.node.node import status_patch
from pybernetes.kubelet.node.status import Health, NodeFacts, node_status, runtime_problem
from pybernetes.kubelet.options import Options, parse
from pybernetes.kubelet.static.manifest import ManifestError, mirror_of, pod_of
from pybernetes.kubelet.sysctls import checked_patterns
from pybernetes.wire.images.reference import InvalidReferenceError, with_default_tag

from .fake_runtime import FakeRuntime
from .world import a_container, a_pod

MACHINE = Machine(2, 4 * 2**30, 2**40, 2**39, {"2Mi": 0}, "boot", "machine", "uuid", "6.1", "Debian", "amd64", 0)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def facts() -> NodeFacts:
    images = [t.Image(id=f"i{n}", repo_tags=[f"image{n}:1"], size=n) for n in range(60)]
    return NodeFacts(
        "n1", ["192.0.2.1"], MACHINE, t.VersionResponse(runtime_name="pybernetes", runtime_version="1"),
        t.StatusResponse(), images, 10250, 110, {"memory": Quantity.parse("100Mi")},
    )  # fmt: skip


def test_the_last_volume_in_use_is_taken_back() -> None:
    before = node_status(facts(), Health(), v1.NodeStatus(), NOW, ["kubernetes.io/csi/d^h"])
    assert before.volumes_in_use == ["kubernetes.io/csi/d^h"]
    after = node_status(facts(), Health(), before, NOW)
    assert status_patch(before, after) == {"volumesInUse": None}


def test_a_healthy_node() -> None:
    status = node_status(facts(), Health(), v1.NodeStatus(), NOW)
    assert status.capacity == {
        "cpu": "2", "memory": "4Gi", "ephemeral-storage": "1Ti", "pods": "110", "hugepages-2Mi": "0",
    }  # fmt: skip
    assert status.allocatable["memory"] == "3996Mi"
    assert [(c.type, c.status, c.reason, c.message) for c in status.conditions] == [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    assert [(a.type, a.address) for a in status.addresses] == [("InternalIP", "192.0.2.1"), ("Hostname", "n1")]
    assert status.node_info
    assert status.node_info.container_runtime_version == "pybernetes://1"
    assert len(status.images) == 50
    assert status.images[0].names == ["image59:1"]


def test_what_others_say_that_a_node_has_can_be_allocated() -> None:
    known = v1.NodeStatus(capacity={"cpu": "64", "example.com/gpu": "4"}, allocatable={"example.com/card": "1"})
    status = node_status(facts(), Health(), known, NOW)
    assert (status.capacity["example.com/gpu"], status.allocatable["example.com/gpu"]) == ("4", "4")
    assert status.capacity["cpu"] == "2"
    assert "example.com/card" not in status.allocatable


def test_transition_times_stay_while_nothing_changes() -> None:
    first = node_status(facts(), Health(), v1.NodeStatus(), NOW)
    later = datetime(2026, 1, 2, tzinfo=UTC)
    second = node_status(facts(), Health(problem="no network"), first, later)
    times = {c.type: (c.last_heartbeat_time, c.last_transition_time) for c in second.conditions}
    assert times["MemoryPressure"] == ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")
    assert times["Ready"] == ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z")


def test_a_runtime_without_network_is_told_in_upstreams_words() -> None:
    condition = t.RuntimeCondition(type="NetworkReady", reason="NetworkPluginNotReady", message="no range")
    status = t.StatusResponse(status=t.RuntimeStatus(conditions=[condition]))
    assert runtime_problem(status) == (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:no range"
    )


async def test_a_runtime_that_says_nothing_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(NOW)
    runtime = FakeRuntime(clock)
    options = Options(
        hostname_override="n1",
        node_ip="192.0.2.1",
        root_dir=str(tmp_path / "root"),
        pod_logs_dir=str(tmp_path / "logs"),
    )
    machinery = await prepare(options, Runtime(runtime, runtime), clock)
    _, health = await machinery.gather()
    assert health.problem == ""
    monkeypatch.setattr("pybernetes.kubelet.node.machinery.RUNTIME_SILENT_SECONDS", 0.01)
    monkeypatch.setattr(runtime, "status", asyncio.Event().wait)
    _, health = await machinery.gather()
    assert health.problem == "container runtime is down: it does not answer"


def test_this_machine_can_be_read() -> None:
    machine = read_machine(Path("/"))
    assert machine.cpus >= 1
    assert machine.memory_bytes > 2**20
    assert machine.boot_id


def node(**labels: str) -> v1.Node:
    return v1.Node(
        metadata=meta_v1.ObjectMeta(name="n1", labels=labels),
        status=v1.NodeStatus(allocatable={"cpu": "2", "memory": "1Gi", "pods": "3"}),
    )


def test_pods_beyond_the_nodes_number_are_rejected() -> None:
    assert admit(a_pod(), node(), [a_pod("x"), a_pod("y")]) is None
    verdict = admit(a_pod(), node(), [a_pod("x"), a_pod("y"), a_pod("z")])
    assert verdict
    assert verdict.reason == "OutOfpods"


def test_node_selectors_and_affinity() -> None:
    assert admit(a_pod(node_selector={"disk": "ssd"}), node(disk="ssd"), []) is None
    verdict = admit(a_pod(node_selector={"disk": "ssd"}), node(), [])
    assert verdict
    assert verdict.reason == "NodeAffinity"
    term = v1.NodeSelectorTerm(
        match_expressions=[v1.NodeSelectorRequirement(key="cores", operator="Gt", values=["4"])],
        match_fields=[v1.NodeSelectorRequirement(key="metadata.name", operator="In", values=["n1"])],
    )
    required = v1.NodeAffinity(
        required_during_scheduling_ignored_during_execution=v1.NodeSelector(node_selector_terms=[term])
    )
    pod = a_pod(affinity=v1.Affinity(node_affinity=required))
    assert admit(pod, node(cores="8"), []) is None
    assert admit(pod, node(cores="4"), []) is not None


def test_taken_host_ports() -> None:
    def pod(name: str, ip: str | None = None) -> v1.Pod:
        return a_pod(
            name, containers=[a_container(ports=[v1.ContainerPort(container_port=80, host_port=80, host_ip=ip)])]
        )

    verdict = admit(pod("a"), node(), [pod("b", "192.0.2.1")])
    assert verdict
    assert verdict.reason == "NodePorts"
    assert admit(pod("a", "192.0.2.2"), node(), [pod("b", "192.0.2.1")]) is None


def test_flags_win_over_the_configuration_file(tmp_path: Path) -> None:
    config = tmp_path / "kubelet.yaml"
    config.write_text(
        "kind: KubeletConfiguration\nmaxPods: 20\nclusterDNS: [10.96.0.10]\nstaticPodPath: /manifests\n"
        "authentication: {x509: {clientCAFile: /ca.crt}}\ncrashLoopBackOff: {maxContainerRestartPeriod: 60s}\n"
        "imageGCHighThresholdPercent: 70\nevictionPressureTransitionPeriod: 1m30s\nevictionHard: {memory.available: 1Gi}\n"
    )
    options = parse(
        [
            f"--config={config}",
            "--max-pods=30",
            "--node-labels=a=b,c=",
            "--register-with-taints=k=v:NoSchedule,x:NoExecute",
            "--eviction-hard=memory.available<64Mi,nodefs.available<1%",
        ]
    )
    assert options.max_pods == 30
    assert options.cluster_dns == ("10.96.0.10",)
    assert options.static_pod_path == "/manifests"
    assert options.client_ca_file == "/ca.crt"
    assert options.max_restart_period_seconds == 60
    assert options.node_labels == (("a", "b"), ("c", ""))
    assert (options.image_gc_high_threshold_percent, options.eviction_pressure_transition_period) == (70, 90.0)
    assert Thresholds.of(dict(options.eviction_hard), MACHINE) == Thresholds(64 * 2**20, 2**40 // 100)
    assert [(taint.key, taint.value, taint.effect) for taint in options.register_with_taints] == [
        ("k", "v", "NoSchedule"), ("x", None, "NoExecute"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", "nginx:latest"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("nginx:1.25", "nginx:1.25"),
        (f"nginx@sha256:{'0' * 64}", f"nginx@sha256:{'0' * 64}"),
    ],
)
def test_default_tags(image: str, expected: str) -> None:
    assert with_default_tag(image) == expected


@pytest.mark.parametrize("image", ["", "Nginx", "a b", "nginx@latest", "nginx:", ":tag", "a//b"])
def test_names_that_are_none(image: str) -> None:
    with pytest.raises(InvalidReferenceError):
        with_default_tag(image)


def test_the_most_specific_credential_comes_first() -> None:
    import base64

    def secret(config: object) -> v1.Secret:
        return v1.Secret(data={".dockerconfigjson": base64.b64encode(msgspec.json.encode(config)).decode()})

    given = secret(
        {
            "auths": {
                "https://index.docker.io/v1/": {"auth": base64.b64encode(b"hub:pw").decode()},
                "*.example.com": {"username": "wide", "password": "p"},
                "reg.example.com/team": {"username": "narrow", "password": "p"},
            }
        }
    )
    broken = v1.Secret(data={".dockerconfigjson": base64.b64encode(b"{").decode()})
    assert [a.username for a in credentials_for("reg.example.com/team/app:1", [broken, given])] == ["narrow", "wide"]
    assert [a.username for a in credentials_for("reg.example.com/other:1", [given])] == ["wide"]
    assert [a.username for a in credentials_for("nginx", [given])] == ["hub"]
    assert credentials_for("example.com/x", [given]) == []


MANIFEST = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: nginx}]}\n"


def test_a_manifest_becomes_a_pod_of_this_node_with_defaults() -> None:
    pod = pod_of(MANIFEST, "n1")
    assert (pod.metadata.name, pod.metadata.namespace, pod.spec.node_name) == ("web-n1", "default", "n1")
    assert pod.spec.containers[0].image_pull_policy == "Always"
    assert pod.metadata.uid != pod_of(MANIFEST.replace("nginx", "httpd"), "n1").metadata.uid
    mirror = mirror_of(pod, v1.Node(metadata=meta_v1.ObjectMeta(name="n1", uid="u")))
    assert mirror.metadata.annotations["kubernetes.io/config.mirror"] == pod.metadata.uid
    assert mirror.metadata.owner_references[0].kind == "Node"


@pytest.mark.parametrize(
    "text", ["", "kind: Service", "kind: Pod\napiVersion: v1\nmetadata: {}", "{", MANIFEST + "x: ["]
)
def test_manifests_that_are_no_pods(text: str) -> None:
    with pytest.raises(ManifestError):
        pod_of(text, "n1")


def test_a_pressure_stands_for_a_while_after_it_was_seen() -> None:
    pressures, low, fine = Pressures(300.0), Health(memory_pressure=True), Health()
    told = [pressures.steady(health, now) for health, now in ((fine, 0.0), (low, 10.0), (fine, 200.0), (fine, 310.0))]
    assert [one.memory_pressure for one in told] == [False, True, True, False]
    assert not any(one.disk_pressure for one in told)


@pytest.mark.parametrize(
    ("name", "shared", "allowed", "words"),
    [
        ("net.ipv4.tcp_syncookies", {}, (), ""),
        ("kernel/shm_rmid_forced", {}, (), ""),
        ("net/ipv4/ip_unprivileged_port_start", {}, (), ""),
        ("kernel.msgmax", {}, (), '"kernel.msgmax" not allowlisted'),
        ("vm.swappiness", {}, (), '"vm.swappiness" not allowlisted'),
        ("net.core.somaxconn", {}, (), '"net.core.somaxconn" not allowlisted'),
        ("net.core.somaxconn", {}, ("net.core.*",), ""),
        ("net.corex", {}, ("net.core.*",), '"net.corex" not allowlisted'),
        ("kernel.msgmax", {}, ("kernel.msgmax",), ""),
        ("net.ipv4.tcp_syncookies", {"host_network": True}, (), '"net.ipv4.tcp_syncookies" not allowed with host Net enabled'),
        ("kernel.shm_rmid_forced", {"host_ipc": True}, (), '"kernel.shm_rmid_forced" not allowed with host IPC enabled'),
        ("kernel.shm_rmid_forced", {"host_network": True}, (), ""),
    ],
)  # fmt: skip
def test_kernel_settings_that_a_pod_may_have(name: str, shared: Any, allowed: tuple[str, ...], words: str) -> None:
    context = v1.PodSecurityContext(sysctls=[v1.Sysctl(name=name, value="1")])
    verdict = admit(a_pod(security_context=context, **shared), node(), [], allowed)
    found = (verdict.reason, verdict.message) if verdict else None
    assert found == (("SysctlForbidden", f"Pod was rejected: forbidden sysctl: {words}") if words else None)


def test_settings_of_the_machine_cannot_be_allowed() -> None:
    assert checked_patterns(["kernel/msg*", "net.*", "fs.mqueue.*"]) == ("kernel.msg*", "net.*", "fs.mqueue.*")
    for pattern in ("vm.*", "kernel.*", "*"):
        with pytest.raises(ValueError, match="not known to be namespaced"):
            checked_patterns([pattern])
