"""Claims and volumes."""

from __future__ import annotations

from tests.badcases.cases.case import Case
from tests.badcases.manifests import claim, pod, volume

INLINE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSIDriver",
    "metadata": {"name": "badcase.test"},
    "spec": {"volumeLifecycleModes": ["Ephemeral"]},
}

STORAGE = (
    Case(
        "claim-class",
        (claim(storageClassName="standart"), pod(volumes={"data": {"persistentVolumeClaim": {"claimName": "data"}}})),
        "pod/web",
        r"storage class standart does not exist",
        r'storageclass\.storage\.k8s\.io "standart" not found',
        r"storageClassName: standard",
    ),
    Case(
        "claim-mode",
        (volume("badcase-mode", "badcase-mode"), claim(storageClassName="badcase-mode", accessModes=["ReadWriteMany"])),
        "pvc/data",
        r"badcase-mode: offers ReadWriteOnce, ReadWriteMany is asked for",
        r'storageclass\.storage\.k8s\.io "badcase-mode" not found',
    ),
    Case(
        "claim-size",
        (volume("badcase-size", "badcase-size"), claim(storageClassName="badcase-size", size="3Gi")),
        "pvc/data",
        r"badcase-size: has 1Gi, 3Gi are asked for",
    ),
    Case(
        "claim-none",
        (claim(storageClassName=""),),
        "pvc/data",
        r'there is no persistentvolume without a class, and storageClassName is "", which keeps the default class standard',
        r"no persistent volumes available for this claim and no storage class is set",
    ),
    Case(
        "claim-name",
        (claim("datas"), pod(volumes={"data": {"persistentVolumeClaim": {"claimName": "data"}}})),
        "pod/web",
        r'persistentvolumeclaim data does not exist; nearest is "datas"',
        r'persistentvolumeclaim "data" not found',
        r"name datas instead of data: correct the manifest of pod/web",
    ),
    Case(
        "host-path",
        (pod(volumes={"host": {"hostPath": {"path": "/etc/hostname", "type": "Directory"}}}),),
        "pod/web",
        r"host path /etc/hostname is not a directory",
        r'MountVolume\.SetUp failed for volume "host" : hostPath type check failed: /etc/hostname is not a directory',
    ),
    Case(
        "driver-none",
        (pod(volumes={"scratch": {"csi": {"driver": "badcase.test"}}}), INLINE),
        "pod/web",
        r"CSI driver badcase\.test is not registered on node \S+, nor on any other",
        r"driver name badcase\.test not found in the list of registered CSI drivers",
    ),
)
