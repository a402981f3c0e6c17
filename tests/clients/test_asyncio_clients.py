"""PyPI's `kubernetes-asyncio`, `kr8s` and `lightkube`: the clients of programs that do many things at once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import kr8s.asyncio
import lightkube
import pytest
from kr8s.asyncio.objects import Deployment, Pod, new_class
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient
from lightkube.codecs import load_all_yaml
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment as LightDeployment
from lightkube.resources.core_v1 import ConfigMap
from lightkube.resources.core_v1 import Pod as LightPod
from tests.live import LiveCluster

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::ResourceWarning")]
"""Not all of them close their connections."""

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "box", "labels": {"app": "box"}},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "box",
                "image": "busybox",
                "command": ["sh", "-c", "echo begun; touch /begun; sleep 3600"],
                "readinessProbe": {"exec": {"command": ["test", "-f", "/begun"]}, "periodSeconds": 1},
            }
        ],
    },
}
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: nginx
          readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
"""


async def test_kubernetes_asyncio(cluster: LiveCluster, namespace: str) -> None:
    await config.load_kube_config(str(cluster.kubeconfig))
    async with client.ApiClient() as api, WsApiClient() as sockets, watch.Watch() as events:
        core = client.CoreV1Api(api)
        await core.create_namespaced_pod(namespace, POD)
        async for event in events.stream(core.list_namespaced_pod, namespace, timeout_seconds=60):
            if any(each.ready for each in event["object"].status.container_statuses or []):
                break
        command = {"command": ["sh", "-c", "echo $HOSTNAME; echo bad >&2"], "stderr": True, "stdout": True}
        out = await client.CoreV1Api(sockets).connect_get_namespaced_pod_exec("box", namespace, **command)
        assert sorted(out.split()) == ["bad", "box"]
        assert await core.read_namespaced_pod_log("box", namespace) == "begun\n"
        many = (core.create_namespaced_config_map(namespace, {"metadata": {"name": f"m{n}"}}) for n in range(20))
        assert len({made.metadata.uid for made in await asyncio.gather(*many)}) == 20
        patch = [{"op": "add", "path": "/metadata/labels/seen", "value": "yes"}]
        patched = await core.patch_namespaced_pod("box", namespace, patch)
        assert patched.metadata.labels == {"app": "box", "seen": "yes"}
        await core.delete_namespaced_pod("box", namespace)


@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning")
async def test_kr8s(cluster: LiveCluster, namespace: str) -> None:
    api = await kr8s.asyncio.api(namespace=namespace)
    assert (await api.version())["major"] == "1"
    web = await Deployment(load(WEB), namespace=namespace, api=api)
    await web.create()
    await web.wait("condition=Available", timeout=60)
    pods = [pod async for pod in api.get("pods", label_selector={"app": "web"})]
    assert len(pods) == 2
    done = await pods[0].exec(["sh", "-c", "echo out; exit 0"])
    assert (done.returncode, done.stdout) == (0, b"out\n")
    async with pods[0].portforward(80) as port, httpx.AsyncClient() as http:
        assert (await http.get(f"http://127.0.0.1:{port}")).status_code == 200
    await web.scale(1)
    assert web.replicas == 1
    box = await Pod(POD, namespace=namespace, api=api)
    await box.create()
    await box.wait("condition=Ready", timeout=60)
    assert [line async for line in box.logs()] == ["begun"]
    await box.label({"seen": "yes"})
    assert (await Pod.get("box", namespace=namespace, api=api)).labels["seen"] == "yes"
    await box.delete()
    await box.wait("delete", timeout=60)
    assert not await box.exists()
    with pytest.raises(kr8s.NotFoundError):
        await Pod.get("box", namespace=namespace, api=api)
    widget = new_class("Widget", version="nobody.example/v1", asyncio=True)
    with pytest.raises(kr8s.ServerError, match="404 Not Found"):
        await (await widget({"metadata": {"name": "w"}}, namespace=namespace, api=api)).create()


def load(text: str) -> dict[str, Any]:
    return next(iter(load_all_yaml(text))).to_dict()


def test_lightkube(cluster: LiveCluster, namespace: str) -> None:
    with lightkube.Client(namespace=namespace, field_manager="light") as light:
        for each in load_all_yaml(WEB):
            light.apply(each)
        light.wait(LightDeployment, "web", for_conditions=["Available"], raise_for_conditions=["ReplicaFailure"])
        first = light.apply(ConfigMap(metadata=ObjectMeta(name="settings"), data={"a": "1", "b": "2"}))
        second = light.apply(ConfigMap(metadata=ObjectMeta(name="settings"), data={"a": "1"}))
        assert (first.data, second.data) == ({"a": "1", "b": "2"}, {"a": "1"})
        with pytest.raises(lightkube.ApiError, match="Apply failed with 1 conflict") as conflict:
            light.apply(ConfigMap(metadata=ObjectMeta(name="settings"), data={"a": "9"}), field_manager="other")
        assert conflict.value.status.reason == "Conflict"
        forced = ConfigMap(metadata=ObjectMeta(name="settings"), data={"a": "9"})
        assert light.apply(forced, field_manager="other", force=True).data == {"a": "9"}

        pods = list(light.list(LightPod, labels={"app": "web"}, chunk_size=1))
        assert len(pods) == 2
        assert all(isinstance(pod.status.startTime.year, int) for pod in pods)
        scaled = light.patch(LightDeployment.Scale, "web", {"spec": {"replicas": 1}})
        assert scaled.spec.replicas == 1
        since = light.get(ConfigMap, "settings").metadata.resourceVersion
        light.delete(ConfigMap, "settings")
        change = next(iter(light.watch(ConfigMap, fields={"metadata.name": "settings"}, resource_version=since)))
        assert change[0] == "DELETED"
