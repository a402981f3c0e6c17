"""What admission makes of pods, and which it refuses."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

CORE = "/api/v1/namespaces/default"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def test_every_pod_has_an_account_whose_token_is_mounted(api: Server) -> None:
    spec = (await api.pod("p", initContainers=[{"name": "i", "image": "i"}])).tree["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    for container in (*spec["containers"], *spec["initContainers"]):
        (mount,) = container["volumeMounts"]
        assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
        assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"


async def test_accounts_and_pods_may_do_without_a_token(api: Server) -> None:
    shy = {"metadata": {"name": "shy"}, "automountServiceAccountToken": False, "imagePullSecrets": [{"name": "pull"}]}
    await api.post(f"{CORE}/serviceaccounts", shy)
    spec = (await api.pod("a", serviceAccountName="shy")).tree["spec"]
    assert "volumes" not in spec
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert "volumes" in (await api.pod("b", serviceAccountName="shy", automountServiceAccountToken=True)).tree["spec"]
    missing = await api.pod("c", serviceAccountName="nobody")
    assert (missing.status, missing.message) == (
        403,
        'pods "c" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    )


async def test_a_pod_waits_for_the_default_account_of_a_new_namespace(api: Server) -> None:
    await api.post("/api/v1/namespaces", {"metadata": {"name": "new"}})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(api.post("/api/v1/namespaces/new/pods", pod))
        await asyncio.sleep(0)
        await api.post("/api/v1/namespaces/new/serviceaccounts", {"metadata": {"name": "default"}})
    assert asked.result().tree["spec"]["serviceAccountName"] == "default"


async def test_a_volume_of_the_pods_own_stands_in_place_of_the_token(api: Server) -> None:
    mount = {"name": "own", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    containers = [{"name": "c", "image": "i", "volumeMounts": [mount]}]
    spec = (await api.pod("p", containers=containers, volumes=[{"name": "own", "emptyDir": {}}])).tree["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["own"]


async def test_tolerations_and_taints_of_nodes_that_are_not_ready(api: Server) -> None:
    tolerations = (await api.pod("p")).tree["spec"]["tolerations"]
    assert [(entry["key"], entry["tolerationSeconds"]) for entry in tolerations] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]
    own = [{"operator": "Exists"}]
    assert (await api.pod("q", tolerations=own)).tree["spec"]["tolerations"] == own
    node = (await api.post("/api/v1/nodes", {"metadata": {"name": "n"}})).tree
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


async def test_priorities(api: Server) -> None:
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    assert (await api.pod("a")).tree["spec"]["priority"] == 0
    await api.post(classes, {"metadata": {"name": "hi"}, "value": 10, "preemptionPolicy": "Never"})
    spec = (await api.pod("b", priorityClassName="hi")).tree["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (10, "Never")
    assert "no PriorityClass with name nope was found" in (await api.pod("c", priorityClassName="nope")).message
    assert "the integer value of priority (5) must not be provided" in (await api.pod("c", priority=5)).message
    await api.post(classes, {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True})
    spec = (await api.pod("d")).tree["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (7, "usual")
    second = await api.post(classes, {"metadata": {"name": "other"}, "value": 8, "globalDefault": True})
    assert "PriorityClass usual is already marked as default" in second.message
    assert (await api.delete(f"{classes}/system-node-critical")).status == 403


async def test_limit_ranges_set_defaults_and_bounds(api: Server) -> None:
    limits = [
        {"type": "Container", "min": {"cpu": "50m"}, "max": {"cpu": "1"}, "default": {"cpu": "500m"}},
        {"type": "Pod", "max": {"cpu": "1500m"}},
    ]
    await api.post(f"{CORE}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    pod = (await api.pod("a")).tree
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}}
    assert pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    )
    big = [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "2"}}}]
    assert (await api.pod("b", containers=big)).message == (
        'pods "b" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, '
        "maximum cpu usage per Pod is 1500m, but limit is 2]"
    )
    small = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "10m"}}}]
    assert (
        "minimum cpu usage per Container is 50m, but request is 10m" in (await api.pod("b", containers=small)).message
    )


async def labelled(api: Server, name: str, level: str) -> str:
    labels = {"pod-security.kubernetes.io/enforce": level}
    await api.post("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    await api.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    return f"/api/v1/namespaces/{name}/pods"


GOOD = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.mark.parametrize(
    ("level", "security", "spec", "words"),
    [
        ("baseline", {}, {}, ""),
        (
            "baseline",
            {"privileged": True},
            {},
            'privileged (container "c" must not set securityContext.privileged=true)',
        ),
        ("baseline", {}, {"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
        ("baseline", {}, {"volumes": [{"name": "h", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "h")'),
        ("restricted", GOOD, {}, ""),
        ("restricted", GOOD | {"runAsUser": 0}, {}, 'runAsUser=0 (container "c" must not set runAsUser=0)'),
        (
            "restricted",
            GOOD,
            {"volumes": [{"name": "n", "nfs": {"server": "s", "path": "/"}}]},
            'restricted volume types (volume "n" uses restricted volume type "nfs")',
        ),
        ("privileged", {"privileged": True}, {}, ""),
    ],
)
async def test_pod_security(api: Server, level: str, security: Any, spec: Any, words: str) -> None:
    pods = await labelled(api, "ns", level)
    containers = [{"name": "c", "image": "i", "securityContext": security}]
    made = await api.post(pods, {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}})
    expected = f'pods "p" is forbidden: violates PodSecurity "{level}:latest": {words}' if words else ""
    assert made.message == expected


async def test_quotas_are_booked(api: Server) -> None:
    hard = {"configmaps": "1", "requests.cpu": "1", "limits.cpu": "2"}
    quotas = f"{CORE}/resourcequotas"
    await api.post(quotas, {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    used = {"configmaps": "0", "requests.cpu": "0", "limits.cpu": "0"}
    await api.merge(f"{quotas}/q/status", {"status": {"hard": hard, "used": used}})
    await api.post(f"{CORE}/configmaps?dryRun=All", {"metadata": {"name": "a"}})
    await api.post(f"{CORE}/configmaps", {"metadata": {"name": "a"}})
    assert (await api.post(f"{CORE}/configmaps", {"metadata": {"name": "b"}})).message == (
        'configmaps "b" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1'
    )
    assert (await api.pod("p")).message == (
        'pods "p" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.cpu for: c'
    )
    sized = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}}}]
    assert (await api.pod("p", containers=sized)).status == 201
    assert (await api.get(f"{quotas}/q")).tree["status"]["used"] == {
        "configmaps": "1",
        "limits.cpu": "2",
        "requests.cpu": "500m",
    }
    assert "exceeded quota" in (await api.pod("q", containers=sized)).message
    assert (
        await api.post(f"{CORE}/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}})
    ).status == 201


async def test_namespaces_that_end_or_are_not_there_take_nothing(api: Server) -> None:
    missing = await api.post("/api/v1/namespaces/nosuch/configmaps", {"metadata": {"name": "c"}})
    assert (missing.status, missing.message) == (404, 'namespaces "nosuch" not found')
    await api.post("/api/v1/namespaces", {"metadata": {"name": "ending"}})
    await api.delete("/api/v1/namespaces/ending")
    refused = await api.post("/api/v1/namespaces/ending/configmaps", {"metadata": {"name": "c"}})
    assert refused.message == (
        'configmaps "c" is forbidden: unable to create new content in namespace ending because it is being terminated'
    )
    assert refused.tree["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert (await api.delete("/api/v1/namespaces/kube-system")).status == 403
    finalized = {"metadata": {"name": "ending"}, "spec": {"finalizers": []}}
    await api.call("PUT", "/api/v1/namespaces/ending/finalize", finalized)
    assert (await api.get("/api/v1/namespaces/ending")).status == 404


async def test_claims_and_ingresses_get_the_default_class(api: Server) -> None:
    default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    storage = "/apis/storage.k8s.io/v1/storageclasses"
    await api.post(storage, {"metadata": {"name": "std", **default}, "provisioner": "p.test"})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = (await api.post(f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": spec})).tree
    assert claim["spec"]["storageClassName"] == "std"
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    named = {"metadata": {"name": "d"}, "spec": {**spec, "storageClassName": ""}}
    assert (await api.post(f"{CORE}/persistentvolumeclaims", named)).tree["spec"]["storageClassName"] == ""
    await api.merge(f"{CORE}/persistentvolumeclaims/c/status", {"status": {"phase": "Bound"}})
    grown = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    assert (
        "only dynamically provisioned pvc can be resized"
        in (await api.merge(f"{CORE}/persistentvolumeclaims/c", grown)).message
    )


async def test_a_kubelet_writes_what_is_its_own(api: Server) -> None:
    assert (await api.post("/api/v1/nodes", {"metadata": {"name": "n2"}}, token="node")).message == (
        'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"'
    )
    assert (await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}}, token="node")).status == 201
    label = {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "y"}}}
    refused = await api.merge("/api/v1/nodes/n1", label, token="node")
    assert refused.message.endswith("is not allowed to modify labels: node-restriction.kubernetes.io/x")
    assert (await api.merge("/api/v1/nodes/n1", {"metadata": {"labels": {"mine": "1"}}}, token="node")).status == 200
    assert (
        "not allowed to modify taints"
        in (await api.merge("/api/v1/nodes/n1", {"spec": {"taints": None}}, token="node")).message
    )
    await api.pod("mine", nodeName="n1")
    await api.pod("other", nodeName="n2")
    body = {"status": {"phase": "Running"}}
    assert (await api.merge(f"{CORE}/pods/mine/status", body, token="node")).status == 200
    assert "can only update pod status" in (await api.merge(f"{CORE}/pods/other/status", body, token="node")).message
    created = {"metadata": {"name": "s"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}}
    assert "can only create mirror pods" in (await api.post(f"{CORE}/pods", created, token="node")).message


async def test_a_kubelet_shows_its_static_pods(api: Server) -> None:
    node = (await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}}, token="node")).tree
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"], "controller": True}
    annotations = {"kubernetes.io/config.mirror": "hash"}
    mirror = {"name": "static-n1", "annotations": annotations, "ownerReferences": [owner]}
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
    made = await api.post(f"{CORE}/pods", {"metadata": mirror, "spec": spec}, token="node")
    assert made.status == 201
    assert "volumes" not in made.tree["spec"]
    uid = made.tree["metadata"]["uid"]
    secret = [{"name": "s", "secret": {"secretName": "s"}}]
    refused = await api.post(
        f"{CORE}/pods", {"metadata": mirror | {"name": "x"}, "spec": spec | {"volumes": secret}}, token="node"
    )
    assert refused.status == 403
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
    assert (await api.delete(f"{CORE}/pods/static-n1", options, token="node")).status == 200
    assert (await api.get(f"{CORE}/pods/static-n1")).status == 404
