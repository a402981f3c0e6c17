"""Rules about other kinds over snapshots, for what a test cluster cannot show or should not be brought to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pybernetes.api.types import apiextensions_v1 as extensions
from pybernetes.api.types import apiregistration_v1 as registration
from pybernetes.api.types import apps_v1, batch_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import networking_v1 as net
from pybernetes.explain import custom, rules
from pybernetes.explain.snapshot import Clues

from .snapshots import convert, node, pod, snapshot, words


def test_a_disk_that_is_nearly_full_is_said_of_the_node() -> None:
    full = node(DiskPressure="True")
    assert words(rules.explain(snapshot(full), full)) == ["its disk is nearly full"]


def test_a_taint_that_follows_from_a_condition_leads_to_it() -> None:
    """Nobody is told to take away what comes back; a taint that somebody gave is theirs to take."""
    taints = [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]
    full = msgspec.structs.replace(node(DiskPressure="True"), spec=convert(v1.NodeSpec, {"taints": taints}))
    said = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/1 nodes are available: 1 node(s) had untolerated taint(s).",
    }
    waits = pod(phase="Pending", conditions=[said])
    waits = msgspec.structs.replace(waits, spec=msgspec.structs.replace(waits.spec, node_name=None))
    finding = rules.explain(snapshot(full, waits), waits)
    assert [cause.what for cause in finding.roots()] == ["its disk is nearly full"]
    assert finding.steps() == ["df -h /var/lib/pybernetes"]
    given = msgspec.structs.replace(
        node(), spec=convert(v1.NodeSpec, {"taints": [{"key": "own", "effect": "NoSchedule"}]})
    )
    assert "kubectl taint nodes one own:NoSchedule-" in rules.explain(snapshot(given, waits), waits).steps()[0]


def test_a_node_that_was_stopped_is_told_of_before_the_cluster_notices() -> None:
    finding = rules.explain(snapshot(node(), pod(), clues=Clues(stopped=frozenset({"one"}))), pod())
    assert words(finding) == ["it is stopped, and its containers with it"]
    assert finding.steps() == ["sudo p8s node start one"]


def a_policy(**spec: Any) -> net.NetworkPolicy:
    tree = {"metadata": {"name": "p", "namespace": "default", "uid": "p"}, "spec": spec}
    found: net.NetworkPolicy = convert(net.NetworkPolicy, tree)
    return found


WEB = {"matchLabels": {"app": "web"}}


@pytest.mark.parametrize(
    ("spec", "facts"),
    [
        ({"policyTypes": ["Ingress"]}, "is about 1 pod: nobody may connect to its pods"),
        (
            {"podSelector": WEB, "policyTypes": ["Ingress"], "ingress": [{}]},
            "is about 1 pod: everybody may connect to its pods",
        ),
        (
            {
                "podSelector": WEB,
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": WEB}, {"namespaceSelector": {}}], "ports": [{"port": 80}]}],
                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 443, "endPort": 445}]}],
            },
            "is about 1 pod: pods with app=web of its namespace and all pods of all namespaces on port 80 may connect to its"
            " pods; its pods may connect to addresses of 10.0.0.0/8 on port 443-445 (DNS is not among it: names are not found)",
        ),
        (
            {"policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]},
            "is about 1 pod: its pods may connect to everybody on port 53",
        ),
    ],
)
def test_a_policy_says_whom_it_lets_through(spec: dict[str, Any], facts: str) -> None:
    seen = snapshot(node(), pod(), policy := a_policy(**spec))
    assert rules.explain(seen, policy).facts == facts
    assert f"networkpolicy/p is about it: {facts.partition(': ')[2]}" in rules.explain(seen, pod()).notes


def test_a_policy_about_nobody_names_who_may_be_meant() -> None:
    policy = a_policy(podSelector={"matchLabels": {"app": "wep"}}, policyTypes=["Ingress"])
    finding = rules.explain(snapshot(node(), pod(), policy), policy)
    assert words(finding) == ["its podSelector app=wep matches no pod; pods have app=web"]
    assert rules.explain(snapshot(node(), pod(), policy), pod()).notes == ()


def test_a_quota_says_what_is_used() -> None:
    tree = {
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"pods": "2", "requests.cpu": "1"}},
        "status": {"hard": {}, "used": {"pods": "1"}},
    }
    quota = convert(v1.ResourceQuota, tree)
    assert rules.explain(snapshot(quota), quota).facts == "has used pods 1 of 2, requests.cpu 0 of 1"


def test_a_released_volume_is_offered_to_the_claim_that_wants_one() -> None:
    volume = convert(
        v1.PersistentVolume,
        {
            "metadata": {"name": "old"},
            "spec": {
                "storageClassName": "manual", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": "default", "name": "gone", "uid": "1"},
            },
            "status": {"phase": "Released"},
        },
    )  # fmt: skip
    claim = convert(
        v1.PersistentVolumeClaim,
        {
            "metadata": {"name": "new", "namespace": "default", "uid": "2"},
            "spec": {
                "storageClassName": "manual", "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
            "status": {"phase": "Pending"},
        },
    )  # fmt: skip
    finding = rules.explain(snapshot(volume, claim), claim)
    assert finding.steps()[0].startswith("""kubectl patch pv old -p '{"spec":{"claimRef":null}}'""")


def test_an_api_whose_server_is_gone_is_told_of() -> None:
    named = {"name": "v1.wild.test", "uid": "api"}
    spec = {
        "group": "wild.test", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 5,
        "service": {"namespace": "default", "name": "gone"},
    }  # fmt: skip
    status = {"conditions": [{"type": "Available", "status": "False", "message": 'service/gone in "default" is not present'}]}  # fmt: skip
    api = convert(registration.APIService, {"metadata": named, "spec": spec, "status": status})
    finding = rules.explain(snapshot(api), api)
    assert finding.causes[0].what.startswith("service default/gone, which has to serve it, does not answer")
    assert finding.causes[0].seen == ('service/gone in "default" is not present',)
    assert "kubectl delete apiservice/v1.wild.test" in finding.steps()[0]
    assert [each.subject.name for each in rules.unhealthy(snapshot(api))] == ["v1.wild.test"]


def test_a_daemon_set_tells_of_nodes_that_it_leaves_out() -> None:
    tainted = convert(
        v1.Node,
        {
            "metadata": {"name": "db", "uid": "db"},
            "spec": {"taints": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]},
        },
    )
    template: dict[str, Any] = {"spec": {"containers": [{"name": "app", "image": "nginx:1"}]}}
    tree = {
        "metadata": {"name": "agent", "namespace": "default", "uid": "agent"},
        "spec": {"selector": {}, "template": template},
        "status": {"currentNumberScheduled": 1, "numberMisscheduled": 0, "desiredNumberScheduled": 1, "numberReady": 1},
    }
    daemon = convert(apps_v1.DaemonSet, tree)
    said = "node db is left out: its pods do not tolerate the taint dedicated=db:NoSchedule"
    assert said in rules.explain(snapshot(tainted, daemon), daemon).notes
    template["spec"]["tolerations"] = [{"operator": "Exists"}]
    assert said not in rules.explain(snapshot(tainted, daemon), convert(apps_v1.DaemonSet, tree)).notes


def test_a_cron_job_that_waits_for_its_last_job_says_so() -> None:
    cron = convert(
        batch_v1.CronJob,
        {
            "metadata": {"name": "nightly", "namespace": "default", "uid": "cron"},
            "spec": {
                "schedule": "* * * * *",
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}},
            },
            "status": {"active": [{"kind": "Job", "name": "nightly-1", "namespace": "default"}]},
        },
    )
    event = convert(
        v1.Event,
        {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"uid": "cron"},
            "reason": "JobAlreadyActive",
            "message": "Not starting job because prior execution is running and concurrency policy is Forbid",
        },
    )
    finding = rules.explain(snapshot(cron, event), cron)
    assert finding.causes[0].what == "its last job still runs, and concurrencyPolicy Forbid lets no other begin"
    assert finding.steps()[0] == "kubectl logs job/nightly-1"


def test_of_a_custom_resource_the_most_telling_condition_is_told() -> None:
    names = {"plural": "widgets", "kind": "Widget", "singular": "widget"}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]}
    definition = convert(
        extensions.CustomResourceDefinition, {"metadata": {"name": "widgets.example.com", "uid": "d"}, "spec": spec}
    )
    conditions = [{"type": type, "status": "True"} for type in reversed(custom.GOOD)]
    tree = {"kind": "Widget", "metadata": {"name": "w", "uid": "w"}, "status": {"conditions": conditions}}
    finding = custom.explain(snapshot(definition), definition, custom.read(tree))
    assert (finding.facts, finding.causes) == ("is there, Ready", ())


@pytest.mark.parametrize(
    ("policy", "expected"), [("Always", []), (None, ["targetPort proxy is no port of its pods; they declare none"])]
)
def test_a_port_of_a_sidecar_is_one_of_the_pod(policy: str | None, expected: list[str]) -> None:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "proxy"}], "clusterIP": "10.96.0.9"}
    service = convert(v1.Service, {"metadata": {"name": "web", "namespace": "default", "uid": "s"}, "spec": spec})
    found = pod()
    port = v1.ContainerPort(container_port=8080, name="proxy")
    beside = v1.Container(name="proxy", restart_policy=policy, ports=[port])
    metadata = msgspec.structs.replace(found.metadata, labels={"app": "web"})
    found = msgspec.structs.replace(
        found, metadata=metadata, spec=msgspec.structs.replace(found.spec, init_containers=[beside])
    )
    told = words(rules.explain(snapshot(service, found, node()), service))
    assert [text for text in told if "targetPort" in text] == expected
