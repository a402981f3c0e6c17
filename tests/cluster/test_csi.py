"""The whole life of a volume of a CSI driver on a real cluster; the test is the driver, its provisioner and attacher."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.csidriver import Driver
from tests.live import LiveCluster

from pybernetes.cluster import pidfile
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes import mounting

pytestmark = pytest.mark.live

CLASS = {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "d"}, "provisioner": "d.test",
    "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": True, "reclaimPolicy": "Retain",
}  # fmt: skip
DRIVER = {
    "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "d.test"},
    "spec": {"attachRequired": True, "podInfoOnMount": True, "fsGroupPolicy": "File"},
}  # fmt: skip
CLAIM = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
    "spec": {"storageClassName": "d", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}  # fmt: skip
POD = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
    "spec": {
        "terminationGracePeriodSeconds": 1, "securityContext": {"fsGroup": 1234},
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
        "containers": [{
            "name": "c", "image": "busybox", "command": ["sh", "-c", "echo written > /d/file; exec sleep 1000"],
            "volumeMounts": [{"name": "v", "mountPath": "/d"}],
        }],
    },
}  # fmt: skip


class Cloud:
    """Volumes are made and attached by hand."""

    def __init__(self, cluster: LiveCluster) -> None:
        self.cluster = cluster

    async def kubectl(self, *arguments: str, input: str | None = None) -> str:
        return await asyncio.to_thread(lambda: self.cluster.kubectl(*arguments, input=input))

    async def get(self, *arguments: str) -> Any:
        return json.loads(await self.kubectl("get", *arguments, "-o", "json"))

    async def apply(self, *objects: dict[str, Any]) -> None:
        for each in objects:
            await self.kubectl("apply", "-f", "-", input=json.dumps(each))

    async def say(self, resource: str, status: dict[str, Any]) -> None:
        await self.kubectl(
            "patch", resource, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
        )

    async def until(self, condition: Callable[[Any], object], *what: str) -> Any:
        """The object, once the condition holds of it."""
        async with asyncio.timeout(60):
            while not condition(found := await self.get(*what)):
                await asyncio.sleep(0.1)
        return found

    async def provision(self) -> None:
        """As an external provisioner."""
        claim = await self.until(lambda one: "volume.kubernetes.io/selected-node" in one["metadata"].get("annotations", {}), "pvc", "data")  # fmt: skip
        reference = {"kind": "PersistentVolumeClaim", "name": "data", "namespace": "default", "uid": claim["metadata"]["uid"]}  # fmt: skip
        await self.apply({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "d",
                "persistentVolumeReclaimPolicy": "Retain", "claimRef": reference,
                "csi": {"driver": "d.test", "volumeHandle": "h", "fsType": "ext4"},
            },
        })  # fmt: skip

    async def attach(self) -> None:
        """As an external attacher."""
        found = await self.until(lambda listed: listed["items"], "volumeattachments")
        await self.say(f"volumeattachment/{found['items'][0]['metadata']['name']}", {"attached": True})

    async def grow(self) -> None:
        """As an external resizer, whose part is done with the device."""
        patch = json.dumps({"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
        await self.kubectl("patch", "pvc/data", "-p", patch)
        await self.kubectl("patch", "pv/pv", "-p", json.dumps({"spec": {"capacity": {"storage": "2Gi"}}}))
        size = {"storage": "2Gi"}
        await self.say("pvc/data", {"allocatedResources": size, "allocatedResourceStatuses": {"storage": "NodeResizePending"}})  # fmt: skip


async def test_a_volume_is_made_attached_mounted_grown_and_taken_away(cluster: LiveCluster, tmp_path: Path) -> None:
    profile, cloud = cluster.profile, Cloud(cluster)
    root = Root(profile.state / "kubelet")
    driver = Driver(root, tmp_path / "data")
    async with driver.serving(root.plugins_registry / "d.sock"):
        await cloud.apply(DRIVER, CLASS, CLAIM, POD)
        node = (await cloud.until(lambda one: one["items"] and one["items"][0]["spec"]["drivers"], "csinodes"))["items"][0]  # fmt: skip
        assert node["spec"]["drivers"][0]["allocatable"] == {"count": 3}
        await cloud.provision()
        await cloud.attach()
        await cloud.until(lambda pod: pod["status"].get("phase") == "Running", "pod", "p")
        async with asyncio.timeout(30):
            while not (tmp_path / "data/h/file").exists():
                await asyncio.sleep(0.1)
        assert (tmp_path / "data/h/file").read_text() == "written\n"
        assert (tmp_path / "data/h").stat().st_gid == 1234

        await cloud.grow()
        claim = await cloud.until(lambda one: one["status"]["capacity"] == {"storage": "2Gi"}, "pvc", "data")
        assert "allocatedResourceStatuses" not in claim["status"]

        told = len(driver.registered)
        os.kill(pidfile.read(profile.run / "agent.pid"), signal.SIGKILL)
        async with asyncio.timeout(60):
            while len(driver.registered) == told:
                await asyncio.sleep(0.1)
        await cloud.kubectl("delete", "pod", "p")
        await cloud.until(lambda listed: not listed["items"], "volumeattachments")
        found = await cloud.get("nodes")
        assert "volumesInUse" not in found["items"][0]["status"]
        assert len(driver.named("NodeUnpublishVolume")) == len(driver.named("NodeUnstageVolume")) == 1
        assert not [each for each in mounting.mounts_below(root.own) if "csi" in each]
