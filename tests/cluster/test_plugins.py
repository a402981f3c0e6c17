"""A device plugin and a driver of devices that register with a real kubelet; what containers get, seen by kubectl."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.kubelet.deviceplugins.plugin import FakePlugin
from tests.kubelet.dra.driver import FakeDriver
from tests.kubelet.plugins.test_registration import Driver
from tests.live import LiveCluster, live_cluster, registry_of_images

from pybernetes.aio.grpc.listening import listening
from pybernetes.kubelet.root import Root

pytestmark = pytest.mark.live

GPU = "test-plugins.example.com/gpu"
CDI = Path("/var/run/cdi/pybernetes-test-plugins.json")

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  {more}
  containers:
  - name: main
    image: busybox
    command: [sh, -c, "env; ls -l /dev/; ls /plugin; sleep 1000"]
    resources: {resources}
"""
CLAIM = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {{name: gpus}}
spec: {{selectors: [{{cel: {{expression: "device.driver == 'gpu.example.com'"}}}}]}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {{name: gpus}}
spec:
  driver: gpu.example.com
  nodeName: {node}
  pool: {{name: pool, resourceSliceCount: 1}}
  devices: [{{name: dev-gpu}}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {{name: gpu}}
spec: {{devices: {{requests: [{{name: r, exactly: {{deviceClassName: gpus}}}}]}}}}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    folder = tmp_path_factory.mktemp("plugins")
    with registry_of_images(folder) as mirror, live_cluster("plugins", mirror, folder) as made:
        yield made


@pytest.fixture(scope="module")
def root(cluster: LiveCluster) -> Root:
    return Root(cluster.profile.first_node.state / "kubelet")


@pytest.fixture
def cdi() -> Iterator[None]:
    """What the runtime finds of the devices by their CDI names."""
    names = ("a", "b", "gpu")
    edits = [{"name": name, "containerEdits": {"env": [f"CDI_{name}=yes"]}} for name in names]
    CDI.parent.mkdir(exist_ok=True)
    CDI.write_text(json.dumps({"cdiVersion": "0.6.0", "kind": "example.com/gpu", "devices": edits}))
    yield
    CDI.unlink()


async def kubectl(cluster: LiveCluster, *arguments: str, input: str | None = None) -> str:
    return await asyncio.to_thread(cluster.kubectl, *arguments, input=input)


async def wait_for(cluster: LiveCluster, what: str, path: str, value: str) -> None:
    await kubectl(cluster, "wait", f"--for=jsonpath={path}={value}", "--timeout=60s", what)


async def apply(cluster: LiveCluster, name: str, resources: dict[str, Any], more: str = "") -> None:
    text = POD.format(name=name, resources=json.dumps(resources), more=more)
    await kubectl(cluster, "apply", "-f-", input=text)


async def test_devices_of_a_plugin_reach_containers(cluster: LiveCluster, root: Root, cdi: None) -> None:
    node = "node/" + cluster.profile.first_node.name
    escaped = GPU.replace(".", "\\.")
    plugin = FakePlugin(root.device_plugins, GPU)
    one = {"limits": {GPU: "1"}}
    async with plugin.serve():
        await plugin.register()
        plugin.tell(a="Healthy", b="Unhealthy")
        await wait_for(cluster, node, f"{{.status.allocatable.{escaped}}}", "1")
        await wait_for(cluster, node, f"{{.status.capacity.{escaped}}}", "2")
        await apply(cluster, "gpu", one)
        await wait_for(cluster, "pod/gpu", "{.status.phase}", "Running")
        seen = await kubectl(cluster, "exec", "gpu", "--", "sh", "-c", "env; ls -l /dev/a; ls /plugin; ls -d /made")
        assert {"DEVICES=a", "CDI_a=yes"} <= set(seen.splitlines())
        assert "crw-rw-rw-" in seen
        assert "/made" in seen.splitlines(), "a directory is made where there is none"
        assert "kubelet.sock" in seen, "what a plugin names of /var/lib/kubelet is the node's own"

        plugin.tell(a="Unhealthy", b="Healthy")
        status = "{.status.containerStatuses[0].allocatedResourcesStatus[0].resources[0].health}"
        await wait_for(cluster, "pod/gpu", status, "Unhealthy")

        plugin.error = "out of order"
        await wait_for(cluster, node, f"{{.status.allocatable.{escaped}}}", "1")
        await kubectl(cluster, "delete", "pod", "gpu", "--now")
        await apply(cluster, "refused", one)
        await wait_for(cluster, "pod/refused", "{.status.reason}", "UnexpectedAdmissionError")
        message = await kubectl(cluster, "get", "pod", "refused", "-o", "jsonpath={.status.message}")
        assert message == (
            "Pod was rejected: Allocate failed due to rpc error: code = Unknown desc = out of order, which is unexpected"
        )
        await kubectl(cluster, "delete", "pod", "refused")
    await wait_for(cluster, node, f"{{.status.allocatable.{escaped}}}", "0")
    await wait_for(cluster, node, f"{{.status.capacity.{escaped}}}", "2")


@asynccontextmanager
async def registered(root: Root, driver: FakeDriver) -> AsyncIterator[None]:
    """The driver, and the socket by which the kubelet learns of it."""
    endpoint = "/var/lib/kubelet/plugins/" + driver.path.name
    registrar = Driver(driver.name, "DRAPlugin", endpoint, [driver.service])
    async with driver.serve(), listening(root.plugins_registry / "gpu-reg.sock", registrar.methods):
        assert (await registrar.told.get()).plugin_registered
        yield


async def test_claims_are_prepared_before_and_given_up_after_their_pod(
    cluster: LiveCluster, root: Root, cdi: None
) -> None:
    driver = FakeDriver(root.plugins / "gpu.sock")
    await kubectl(cluster, "apply", "-f-", input=CLAIM.format(node=cluster.profile.first_node.name))
    more = "resourceClaims: [{name: gpu, resourceClaimName: gpu}]"
    await apply(cluster, "claims", {"claims": [{"name": "gpu"}]}, more)
    words = (
        "Failed to prepare dynamic resources: prepare dynamic resources: DRA driver gpu.example.com is not registered"
    )
    await told(cluster, "FailedPrepareDynamicResources", words)
    assert "gpu.example.com" in await asyncio.to_thread(cluster.p8s, "why", "pod/claims")
    driver.errors = ["warming up"]
    async with registered(root, driver):
        await wait_for(cluster, "pod/claims", "{.status.phase}", "Running")
        await told(
            cluster, "FailedPrepareDynamicResources", "NodePrepareResources failed for ResourceClaim gpu: warming up"
        )
        assert "CDI_gpu=yes" in (await kubectl(cluster, "exec", "claims", "--", "env")).splitlines()
        assert driver.given_up == []
        await kubectl(cluster, "delete", "pod", "claims")
        uid = cluster.get("resourceclaim", "gpu")["metadata"]["uid"]
        assert driver.given_up == [uid], "the object goes after its devices"
    await kubectl(cluster, "wait", "--for=delete", "--timeout=90s", "resourceslice/gpus")


MOUNTER = """
apiVersion: v1
kind: Pod
metadata: {name: mounter}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: plugins, hostPath: {path: /var/lib/kubelet/plugins, type: Directory}}]
  containers:
  - name: main
    image: busybox
    command: [sh, -c, "mkdir -p /there/volume && mount -t tmpfs none /there/volume && touch /there/volume/made; sleep 1000"]
    securityContext: {privileged: true}
    volumeMounts: [{name: plugins, mountPath: /there, mountPropagation: Bidirectional}]
"""


async def test_what_a_driver_mounts_is_mounted_on_the_node(cluster: LiveCluster, root: Root) -> None:
    await kubectl(cluster, "apply", "-f-", input=MOUNTER)
    while not (root.plugins / "volume" / "made").exists():
        await asyncio.sleep(0.1)
    await kubectl(cluster, "delete", "pod", "mounter")


async def told(cluster: LiveCluster, reason: str, words: str) -> None:
    """Until an event says so."""
    while True:
        events = await asyncio.to_thread(cluster.get, "events")
        if any(event["reason"] == reason and words in event["message"] for event in events["items"]):
            return
        await asyncio.sleep(0.2)
