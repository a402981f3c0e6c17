"""PyPI's `kubernetes`: typed and dynamic clients, watches, and streams over WebSockets."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client import ApiException
from kubernetes.stream import portforward, stream
from tests.live import LiveCluster

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::ResourceWarning")]
"""A watch that is left early leaves its connection to the garbage collector."""

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: web
      image: nginx
      ports: [{containerPort: 80}]
      readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.python.example}
spec:
  group: python.example
  scope: Namespaced
  names: {plural: ships, singular: ship, kind: Ship}
  versions:
    - name: v1
      served: true
      storage: true
      subresources:
        status: {}
        scale: {specReplicasPath: .spec.masts, statusReplicasPath: .status.masts}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {masts: {type: integer, default: 1}}}
            status: {type: object, properties: {masts: {type: integer}}}
"""


@pytest.fixture
def api(cluster: LiveCluster) -> Any:
    with config.new_client_from_config(str(cluster.kubeconfig)) as made:
        yield made


def test_typed_client(api: client.ApiClient, namespace: str) -> None:
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    labels = {"app": "web"}
    container = client.V1Container(name="web", image="nginx", resources={"requests": {"cpu": "10m"}})
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(replicas=2, selector={"matchLabels": labels}, template=template)
    body = client.V1Deployment(metadata=client.V1ObjectMeta(name="web"), spec=spec)
    made = apps.create_namespaced_deployment(namespace, body, field_manager="typed", field_validation="Strict")
    assert made.metadata.creation_timestamp.tzinfo is not None
    assert made.spec.strategy.rolling_update.max_surge == "25%"

    seen = []
    for event in watch.Watch().stream(
        apps.list_namespaced_deployment, namespace, resource_version=made.metadata.resource_version, timeout_seconds=60
    ):
        seen.append(event["type"])
        if event["object"].status.ready_replicas == 2:
            break
    assert set(seen) == {"MODIFIED"}
    first = core.list_namespaced_pod(namespace, label_selector="app=web", limit=1)
    rest = core.list_namespaced_pod(namespace, label_selector="app=web", limit=1, _continue=first.metadata._continue)
    assert first.metadata.remaining_item_count is None
    assert {*(pod.metadata.name for pod in first.items)}.isdisjoint(pod.metadata.name for pod in rest.items)
    log = watch.Watch().stream(core.read_namespaced_pod_log, first.items[0].metadata.name, namespace)
    assert any("start worker process" in line for line in log)

    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}})
    scaled = apps.read_namespaced_deployment("web", namespace)
    assert {entry.manager for entry in scaled.metadata.managed_fields} >= {"typed"}
    scaled.spec.replicas, scaled.metadata.resource_version = 3, "1"
    with pytest.raises(ApiException) as stale:
        apps.replace_namespaced_deployment("web", namespace, scaled)
    assert (stale.value.status, "the object has been modified" in stale.value.body) == (409, True)
    left = apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    assert left["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_exec_and_port_forward(api: client.ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_pod(namespace, yaml.safe_load(POD))
    await_ready(core, namespace)

    command = ["sh", "-c", "read line; echo got $line; echo wrong >&2; exit 3"]
    flags = {"stderr": True, "stdin": True, "stdout": True, "tty": False}
    shell = stream(
        core.connect_get_namespaced_pod_exec, "web", namespace, command=command, **flags, _preload_content=False
    )
    shell.write_stdin("this\n")
    shell.run_forever(timeout=30)
    assert (shell.read_stdout(), shell.read_stderr(), shell.returncode) == ("got this\n", "wrong\n", 3)

    binary = ["sh", "-c", r"printf '\377\000\001'"]
    out = stream(core.connect_get_namespaced_pod_exec, "web", namespace, command=binary, **flags, binary=True)
    assert out == b"\xff\x00\x01"

    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports="80")
    connection = forward.socket(80)
    connection.settimeout(30)
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with connection.makefile("rb") as answer:
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        assert b"Welcome to nginx" in answer.read()
    connection.close()
    assert forward.error(80) is None

    page = core.connect_get_namespaced_pod_proxy_with_path("web", namespace, "index.html")
    assert "Welcome to nginx" in page


def await_ready(core: client.CoreV1Api, namespace: str) -> None:
    for event in watch.Watch().stream(core.list_namespaced_pod, namespace, timeout_seconds=60):
        conditions = event["object"].status.conditions or []
        if any(each.type == "Ready" and each.status == "True" for each in conditions):
            return
    pytest.fail("the pod is not ready after a minute")


def test_dynamic_client(api: client.ApiClient, namespace: str) -> None:
    utils.create_from_dict(api, yaml.safe_load(DEFINITION))
    found = client.ApiextensionsV1Api(api)
    for event in watch.Watch().stream(
        found.list_custom_resource_definition, field_selector="metadata.name=ships.python.example", timeout_seconds=60
    ):
        if any(
            each.type == "Established" and each.status == "True" for each in event["object"].status.conditions or []
        ):
            break
    kinds = dynamic.DynamicClient(api)
    ships = kinds.resources.get(api_version="python.example/v1", kind="Ship")
    body = {"apiVersion": "python.example/v1", "kind": "Ship", "metadata": {"name": "argo"}, "spec": {}}
    made = ships.create(body=body, namespace=namespace)
    assert made.spec.masts == 1
    applied = ships.server_side_apply(
        body={**body, "spec": {"masts": 3}},
        name="argo",
        namespace=namespace,
        field_manager="crew",
        force_conflicts=True,
    )
    assert (applied.spec.masts, applied.metadata.generation) == (3, 2)
    ships.status.patch(
        body={"status": {"masts": 3}}, name="argo", namespace=namespace, content_type="application/merge-patch+json"
    )
    scale = ships.scale.get(name="argo", namespace=namespace)
    assert (scale.kind, scale.spec.replicas, scale.status.replicas) == ("Scale", 3, 3)
    since = ships.get(namespace=namespace).metadata.resourceVersion
    ships.delete(name="argo", namespace=namespace)
    event = next(ships.watch(namespace=namespace, resource_version=since, timeout=30))
    assert (event["type"], event["object"].metadata.name) == ("DELETED", "argo")
    with pytest.raises(dynamic.exceptions.NotFoundError, match=r"ships\.python\.example .*argo.* not found"):
        ships.get(name="argo", namespace=namespace)

    secrets = kinds.resources.get(api_version="v1", kind="Secret")
    token = base64.b64encode(b"open").decode()
    secrets.create(body={"metadata": {"name": "key"}, "data": {"token": token}}, namespace=namespace)
    assert (
        secrets.get(namespace=namespace, label_selector="", field_selector="metadata.name=key").items[0].data.token
        == token
    )
