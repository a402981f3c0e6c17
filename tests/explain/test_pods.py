"""Rules about pods over snapshots, for what a test cluster cannot show or should not be brought to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pybernetes.api import time
from pybernetes.api.types import apps_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import rules
from pybernetes.explain.snapshot import Clues, Tags

from .snapshots import NOW, PULL, convert, node, pod, snapshot, words


def test_a_healthy_pod_has_facts_and_no_cause() -> None:
    found = rules.explain(snapshot(node(), pod()), pod())
    assert not found.is_broken
    assert found.facts.startswith("runs and is ready")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (f"{PULL}: write /var/lib/x: no space left on device", "the node's disk is full"),
        (
            'failed to do request: Head "https://registry-1.docker.io/v2/a/manifests/1": dial tcp: lookup registry-1.docker.io: no such host',
            "the registry of image nginx:1 cannot be reached: https://registry-1.docker.io: dial tcp: lookup registry-1.docker.io: no such host",
        ),
        (
            'failed to do request: Head "http://127.0.0.1:5997/v2/library/nginx/manifests/1": dial tcp 127.0.0.1:5997: connect: connection refused',
            "the mirror of docker.io that the cluster was given cannot be reached: http://127.0.0.1:5997: dial tcp 127.0.0.1:5997: connect: connection refused",
        ),
        (
            "unexpected status from HEAD request to https://registry-1.docker.io/v2/library/nginx/manifests/1: 503 Service Unavailable",
            "the registry of image nginx:1 answers 503 Service Unavailable: it is out of order, or no registry",
        ),
        (
            'failed to do request: Head "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 127.0.0.1:5996: connect: connection refused',
            "the proxy by which registries are to be asked does not let us through: dial tcp 127.0.0.1:5996: connect: connection refused",
        ),
        ("manifest is of an unknown kind", "image nginx:1 could not be pulled"),
    ],
)
def test_images_that_do_not_come(said: str, cause: str) -> None:
    stuck = pod(waiting=("ImagePullBackOff", said))
    assert words(rules.explain(snapshot(node(), stuck), stuck)) == [cause]


def test_a_tag_on_the_node_is_a_hint_where_no_registry_answers() -> None:
    stuck = pod(image="nginx:1.18.30", waiting=("ErrImagePull", "docker.io/library/nginx:1.18.30: not found"))
    here = convert(v1.Node, {"metadata": {"name": "one"}, "status": {"images": [{"names": ["nginx:1.18.0"]}]}})
    assert words(rules.explain(snapshot(here, stuck), stuck)) == [
        "image nginx:1.18.30 is not in the registry; tags close to it: 1.18.0"
    ]


@pytest.mark.parametrize(
    ("reason", "said", "cause"),
    [
        ("ErrImagePull", "docker.io/library/shop:latest: not found", "image shop is not in the registry"),
        (
            "ErrImagePull",
            "pull access denied, repository does not exist or may require authorization",
            "docker.io has no image library/shop, or does not let us have it without credentials: the pod has no imagePullSecrets",
        ),
        ("ErrImageNeverPull", "", "image shop is not on the node, and imagePullPolicy is Never"),
    ],
)
def test_who_built_one_tag_and_deploys_another_is_told_of_the_first(reason: str, said: str, cause: str) -> None:
    """Whatever a registry says of it, which has never heard of either."""
    stuck = pod(image="shop", waiting=(reason, said))
    images = [{"names": ["docker.io/library/shop:1", "docker.io/library/other:1"]}]
    here = convert(v1.Node, {"metadata": {"name": "one"}, "status": {"images": images}})
    clues = Clues(tags={"docker.io/library/shop": Tags(False, ())})
    found = rules.explain(snapshot(here, stuck, clues=clues), stuck)
    assert words(found) == [f"{cause}; the nodes have shop:1"]
    assert found.steps() == ["kubectl set image pod/web app=shop:1"]


def test_docker_hub_that_denies_a_tag_is_asked_for_its_tags() -> None:
    """It says `denied` of what does not exist, too."""
    said = "docker.io/library/nginx:2: not found"
    stuck = pod(image="nginx:2", waiting=("ErrImagePull", said))
    clues = Clues(tags={"docker.io/library/nginx": Tags(True, ("1.27", "2.0", "latest"))})
    found = rules.explain(snapshot(node(), stuck, clues=clues), stuck)
    assert found.steps() == ["kubectl set image pod/web app=nginx:2.0"]


def test_a_node_that_does_not_answer_is_the_cause_of_its_pods() -> None:
    silent = node(ready="Unknown")
    assert words(rules.explain(snapshot(silent, pod()), pod())) == [
        "its kubelet has said nothing for 0s: the node or its agent is down"
    ]


def test_a_pod_that_does_not_end_leads_to_its_silent_node() -> None:
    going = pod()
    meta = msgspec.structs.replace(going.metadata, deletion_timestamp="2027-01-15T00:00:00Z")
    going = msgspec.structs.replace(going, metadata=meta)
    finding = rules.explain(snapshot(node(ready="Unknown"), going), going)
    assert "its kubelet has said nothing" in finding.roots()[0].what
    assert "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute" in finding.steps()[-1]


def test_an_evicted_pod_says_why() -> None:
    evicted = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    found = rules.explain(snapshot(node(), evicted), evicted)
    assert (found.facts, found.causes[0].seen) == ("has failed: Evicted", ("The node was low on resource: memory.",))


def controlled_by(kind: str, uid: str) -> list[Any]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": True}]


def test_pods_in_the_same_trouble_are_one_cause() -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "nginx:1"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "web", "namespace": "default"}
    owners = controlled_by("Deployment", "d")
    deployment = convert(apps_v1.Deployment, {"metadata": metadata | {"uid": "d"}, "spec": spec})
    replicas = convert(
        apps_v1.ReplicaSet, {"metadata": metadata | {"uid": "r", "ownerReferences": owners}, "spec": spec}
    )
    waiting = ("ErrImageNeverPull", "not present")
    trees = [msgspec.to_builtins(pod(f"web-{number}", waiting=waiting)) for number in range(3)]
    for tree in trees:
        tree["metadata"]["ownerReferences"] = controlled_by("ReplicaSet", "r")
    whole = snapshot(node(), deployment, replicas, *(convert(v1.Pod, tree) for tree in trees))
    [cause] = rules.explain(whole, deployment).causes
    assert cause.what == "waits: ErrImageNeverPull (and 2 more like it)"
    assert [finding.subject.kind for finding in rules.unhealthy(whole)] == ["deployment"]


def test_what_may_not_be_listed_is_not_said_to_be_missing() -> None:
    stuck = pod(waiting=("ErrImagePull", "x"))
    blind = replace(snapshot(stuck), unread=frozenset({v1.Node}))
    assert not any("does not exist" in what for what in words(rules.explain(blind, stuck)))


def test_a_probe_that_spent_the_events_is_still_the_cause() -> None:
    """The verdict itself was not told: events of one pod are limited, as upstream's."""
    ended = {"exitCode": 143, "reason": "Error"}
    status = {"name": "app", "image": "nginx:1", "imageID": "", "ready": False, "restartCount": 1, "started": False}
    state = {"state": {"running": {}}, "lastState": {"terminated": ended}}
    found = pod(containerStatuses=[status | state], conditions=[{"type": "Ready", "status": "False"}])
    startup = v1.Probe(tcp_socket=v1.TCPSocketAction(port=80))
    change = msgspec.structs.replace
    container = change(found.spec.containers[0], startup_probe=startup)
    found = change(found, spec=change(found.spec, containers=[container]))
    event = convert(
        v1.Event,
        {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"uid": "web", "fieldPath": "spec.containers{app}"},
            "reason": "Unhealthy",
            "message": "Startup probe failed: dial tcp 10.244.0.9:80: connect: connection refused",
            "lastTimestamp": "2027-01-15T07:00:00Z",
        },
    )
    [cause] = rules.explain(snapshot(node(), found, event), found).causes
    assert cause.what == "its startup probe fails, so that it is ended and started again: connect to port 80"
    assert cause.seen == (event.message,)


def test_a_sidecar_is_called_one() -> None:
    found = convert(
        v1.Pod,
        {
            "metadata": {"name": "web", "namespace": "default", "uid": "web"},
            "spec": {
                "nodeName": "one",
                "initContainers": [{"name": "proxy", "image": "x", "restartPolicy": "Always"}],
                "containers": [{"name": "app", "image": "x"}],
            },
            "status": {
                "phase": "Pending",
                "initContainerStatuses": [
                    {
                        "name": "proxy", "image": "x", "imageID": "", "ready": False, "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 4, "reason": "Error"}},
                    }
                ],
            },
        },
    )  # fmt: skip
    finding = rules.explain(snapshot(node(), found), found)
    assert finding.facts == "waits: CrashLoopBackOff of sidecar proxy"
    assert finding.causes[0].what == "sidecar proxy waits: CrashLoopBackOff"


def test_an_init_container_that_does_not_end_holds_its_pod_up() -> None:
    """Its first minute is its own affair."""
    for age, is_broken in ((30, False), (300, True)):
        started = time.format_time(datetime.fromtimestamp(NOW - age, UTC))
        waits = convert(
            v1.Pod,
            {
                "metadata": {"name": "web", "namespace": "default", "uid": "web"},
                "spec": {
                    "nodeName": "one",
                    "initContainers": [{"name": "first", "image": "busybox:1"}],
                    "containers": [{"name": "app", "image": "nginx:1"}],
                },
                "status": {
                    "phase": "Pending",
                    "initContainerStatuses": [
                        {
                            "name": "first", "image": "", "imageID": "", "ready": False, "restartCount": 0,
                            "state": {"running": {"startedAt": started}},
                        }
                    ],
                },
            },
        )  # fmt: skip
        finding = rules.explain(snapshot(node(), waits), waits)
        assert finding.facts.startswith("waits for its init container first, which runs for ")
        assert finding.is_broken == is_broken
        assert any(step.startswith("kubectl logs pod/web -c first") for step in finding.steps()) == is_broken


def test_a_subpath_that_names_no_key_is_told_of_with_the_crash() -> None:
    config = convert(v1.ConfigMap, {"metadata": {"name": "settings", "namespace": "default"}, "data": {"app.cnf": "1"}})
    crashed = pod(waiting=("CrashLoopBackOff", "back-off"))
    spec = with_a_file_mounted(crashed)
    finding = rules.explain(snapshot(node(), config, spec), spec)
    assert "subPath app.conf is no file of configmap settings" in finding.roots()[0].what


def with_a_file_mounted(crashed: v1.Pod) -> v1.Pod:
    """The pod, with a mount of a file of a ConfigMap, and an end of its container."""
    tree = msgspec.to_builtins(crashed)
    tree["spec"]["volumes"] = [{"name": "files", "configMap": {"name": "settings"}}]
    mount = {"name": "files", "mountPath": "/etc/app.conf", "subPath": "app.conf"}
    tree["spec"]["containers"][0]["volumeMounts"] = [mount]
    tree["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    return convert(v1.Pod, tree)


@pytest.mark.parametrize(
    ("line", "is_believed"),
    [
        ('User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "x"', True),
        ('User "system:serviceaccount:default:default" cannot list resource "pods;reboot" in API group "" in the namespace "x"', False),
        ('User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "$(reboot)"', False),
        ('User "system:serviceaccount:kube-system:other" cannot list resource "pods" in API group "" in the namespace "x"', False),
    ],
)  # fmt: skip
def test_a_log_puts_no_command_into_our_mouth(line: str, is_believed: bool) -> None:
    """What a pod says of its own rights is passed on as commands; what it says of others', or in shell, is not."""
    crashed = with_a_file_mounted(pod(waiting=("CrashLoopBackOff", "back-off")))
    clues = Clues(logs={("default", "web", "app"): (line,)})
    steps = rules.explain(snapshot(node(), crashed, clues=clues), crashed).steps()
    assert any("create role" in step for step in steps) == is_believed
    assert not any("reboot" in step for step in steps)


def test_an_image_for_another_processor_is_no_missing_tag() -> None:
    said = f'{PULL}: failed to pull and unpack image "docker.io/library/nginx:1": no match for platform in manifest: not found'
    info = dict.fromkeys(("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion", "machineID", "osImage", "systemUUID"), "")  # fmt: skip
    status = {"nodeInfo": info | {"operatingSystem": "linux", "architecture": "amd64"}}
    one = convert(v1.Node, {"metadata": {"name": "one", "uid": "one"}, "status": status})
    tags = Clues(tags={"docker.io/library/nginx": Tags(True, ("1", "2"))})
    web = pod(waiting=("ImagePullBackOff", said))
    found = rules.explain(snapshot(one, web, clues=tags), web)
    assert words(found) == ["image nginx:1 is in the registry, but not for linux/amd64"]
    assert "docker build --platform linux/amd64 --push -t nginx:1 DIRECTORY" in found.steps()[-1]
