"""Pods with claims: where their volumes let them go, and upstream's words when nowhere."""

from typing import Any

import msgspec
import pytest
from tests.scheduler.test_cycle import World, node, pod

from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import storage_v1 as storage
from pybernetes.scheduler.plugins.volume_binding import plan_binding

KEY = ("default", "data")


def claim(storage_class: str = "later", volume: str = "", mode: str = "ReadWriteOnce") -> core.PersistentVolumeClaim:
    bound = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    tree = {
        "metadata": {"name": "data", "namespace": "default", "uid": "u", "annotations": bound},
        "spec": {
            "storageClassName": storage_class, "volumeName": volume, "accessModes": [mode],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }  # fmt: skip
    return msgspec.convert(tree, core.PersistentVolumeClaim)


def volume(name: str, home: str, size: str = "1Gi") -> core.PersistentVolume:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [home]}]}
    tree = {
        "metadata": {"name": name},
        "spec": {
            "storageClassName": "later", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}, "local": {"path": "/data"},
        },
    }  # fmt: skip
    return msgspec.convert(tree, core.PersistentVolume)


def world(found: core.PersistentVolumeClaim | None, *volumes: core.PersistentVolume, provisioner: str = "x/y") -> World:
    made = World(node("a"), node("b"))
    known = made.snapshot.volumes
    tree = {"metadata": {"name": "later"}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"}
    known.set_class(None, msgspec.convert(tree, storage.StorageClass))
    known.set_claim(None, found)
    for each in volumes:
        known.set_volume(None, each)
    return made


def user(name: str = "p", **spec: Any) -> Any:
    return pod(name, volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}], **spec)


NONE = "kubernetes.io/no-provisioner"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (world(None), '0/2 nodes are available: persistentvolumeclaim "data" not found.'),
        (world(claim("now")), "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
        (world(claim(volume="v"), volume("v", "b")), "b"),
        (
            world(claim(volume="v"), volume("v", "gone")),
            "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.",
        ),
        (world(claim(), volume("v", "b"), provisioner=NONE), "b"),
        (
            world(claim(), volume("v", "b", "1Mi"), provisioner=NONE),
            "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.",
        ),
    ],
)
def test_a_pod_goes_where_its_volumes_are(given: World, expected: str) -> None:
    assert given.place(user()) == expected


def test_a_claim_of_the_pods_own_has_to_be_made_for_it() -> None:
    own = pod("p", volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}])
    waiting = 'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v"'
    made = world(None)
    assert made.place(own) == f"0/2 nodes are available: {waiting}."
    stranger = claim()
    made.snapshot.volumes.set_claim(
        None, msgspec.structs.replace(stranger, metadata=msgspec.structs.replace(stranger.metadata, name="p-v"))
    )
    reason = "PVC default/p-v was not created for pod default/p (pod is not owner)"
    assert made.place(own) == f"0/2 nodes are available: {reason}."


def test_a_volume_that_was_set_aside_is_not_given_twice() -> None:
    made = world(claim(), volume("v", "a"))
    known, home = made.snapshot.volumes, made.snapshot.nodes["a"]
    assert plan_binding(user(), home, known) == {KEY: "v"}
    known.assume({("default", "other"): "v"})
    assert plan_binding(user(), home, known) == {KEY: ""}


def test_a_claim_of_one_pod_has_one_pod() -> None:
    made = world(claim(volume="v", mode="ReadWriteOncePod"), volume("v", "a"))
    assert made.place(user("first")) == "a"
    reason = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    assert reason in made.place(user("second"))


def of_driver(name: str, handle: str) -> core.PersistentVolume:
    tree = {
        "metadata": {"name": name},
        "spec": {"csi": {"driver": "d.test", "volumeHandle": handle}, "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}},
    }  # fmt: skip
    return msgspec.convert(tree, core.PersistentVolume)


def limited(node_name: str, count: int | None) -> storage.CSINode:
    entry = {"name": "d.test", "nodeID": "n"} | ({"allocatable": {"count": count}} if count is not None else {})
    return msgspec.convert({"metadata": {"name": node_name}, "spec": {"drivers": [entry]}}, storage.CSINode)


def named(name: str, volume_name: str) -> core.PersistentVolumeClaim:
    found = claim(volume=volume_name)
    return msgspec.structs.replace(found, metadata=msgspec.structs.replace(found.metadata, name=name))


def test_a_node_takes_as_many_volumes_as_the_driver_says() -> None:
    made = World(node("a"))
    known = made.snapshot.volumes
    known.csi.set_node(None, limited("a", 1))
    for number in (1, 2):
        known.set_volume(None, of_driver(f"v{number}", f"h{number}"))
        known.set_claim(None, named(f"c{number}", f"v{number}"))
    users = [pod(f"p{n}", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": f"c{n}"}}]) for n in (1, 2)]
    assert made.place(users[0]) == "a"
    assert made.place(users[1]).startswith("0/1 nodes are available: 1 node(s) exceed max volume count.")
    again = pod("again", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c1"}}])
    assert made.place(again) == "a"  # which takes no further one
    known.csi.set_node(None, limited("a", None))
    assert made.place(users[1]) == "a"


def test_what_is_attached_for_nobody_counts() -> None:
    made = World(node("a"))
    known = made.snapshot.volumes
    known.csi.set_node(None, limited("a", 1))
    known.set_volume(None, of_driver("v1", "h1"))
    known.set_volume(None, of_driver("old", "h0"))
    known.set_claim(None, named("c1", "v1"))
    tree = {"metadata": {"name": "x"}, "spec": {"attacher": "d.test", "nodeName": "a", "source": {"persistentVolumeName": "old"}}}  # fmt: skip
    attachment = msgspec.convert(tree, storage.VolumeAttachment)
    known.csi.set_attachment(None, attachment)
    wanted = pod("p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c1"}}])
    assert "exceed max volume count" in made.place(wanted)
    known.csi.set_attachment(attachment, None)
    assert made.place(wanted) == "a"


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (None, "2 node(s) did not have enough free storage"),
        ({"capacity": "512Mi"}, "2 node(s) did not have enough free storage"),
        ({"capacity": "5Gi", "maximumVolumeSize": "512Mi"}, "2 node(s) did not have enough free storage"),
        ({"capacity": "5Gi", "nodeTopology": {"matchLabels": {"kubernetes.io/hostname": "b"}}}, "b"),
        ({"capacity": "5Gi", "nodeTopology": None}, "2 node(s) did not have enough free storage"),
    ],
)
def test_volumes_are_made_where_their_driver_has_room(capacity: dict[str, Any] | None, expected: str) -> None:
    made = world(claim(), provisioner="d.test")
    known = made.snapshot.volumes.csi
    tree = {"metadata": {"name": "d.test"}, "spec": {"storageCapacity": True}}
    known.set_driver(None, msgspec.convert(tree, storage.CSIDriver))
    if capacity is not None:
        told = {"metadata": {"name": "c", "namespace": "n"}, "storageClassName": "later"} | capacity
        known.set_capacity(None, msgspec.convert(told, storage.CSIStorageCapacity))
    assert expected in made.place(user())
