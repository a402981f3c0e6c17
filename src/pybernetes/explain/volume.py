"""Volumes of pods that cannot be set up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import claim, config, csi
from pybernetes.explain.causes import Cause
from pybernetes.explain.snapshot import Snapshot, ref
from pybernetes.explain.steps import change

REASONS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox")
_NAME = re.compile(r'for volume "(?P<name>[^"]+)"')
_TYPE = re.compile(r"hostPath type check failed: (?P<path>\S+) is not a (?P<kind>[a-z ]+)")


def explain(snapshot: Snapshot, pod: v1.Pod) -> Iterator[Cause]:
    """What keeps a pod's volumes, or its sandbox, from being made: the newest word on each."""
    late = tuple(csi.waiting(snapshot, pod))
    yield from late
    told: set[str] = set()
    for event in snapshot.events(pod, *REASONS):
        said = event.message or ""
        found = _NAME.search(said)
        name = found["name"] if found else event.reason or ""
        if name in told:
            continue
        told.add(name)
        if event.reason == "FailedCreatePodSandBox":
            yield _sandbox(said)
        elif cause := csi.said(snapshot, pod, said):
            yield cause
        elif late and found is None:
            continue  # that the volume is not there is what has just been explained
        else:
            yield _mount(snapshot, pod, name, said)


def _sandbox(said: str) -> Cause:
    if "no space left" in said:
        return Cause("the node's disk is full", seen=(said,), steps=("df -h /var/lib/pybernetes",))
    return Cause(
        "its network and namespaces could not be made", seen=(said,), steps=("p8s logs runtime", "p8s logs agent")
    )


def _mount(snapshot: Snapshot, pod: v1.Pod, name: str, said: str) -> Cause:
    namespace = pod.metadata.namespace or ""
    volume = next((each for each in pod.spec.volumes if each.name == name), None)
    found = config.refers_to_nothing(snapshot, pod, said)
    if found is None and volume is not None:
        found = config.no_file_key(snapshot, pod, volume, said) or _claimed(snapshot, volume, namespace)
    if found is None and (wrong := _TYPE.search(said)):
        found = Cause(
            f"host path {wrong['path']} is not a {wrong['kind']} on node {pod.spec.node_name}",
            seen=(said,),
            steps=(f"make it there, or take another hostPath type: {change(snapshot, pod)}",),
        )
    if found is None:
        found = Cause("it could not be mounted", seen=(said,), steps=(snapshot.command("describe", ref(pod)),))
    return Cause(f"volume {name} is not there", because=(found,))


def _claimed(snapshot: Snapshot, volume: v1.Volume, namespace: str) -> Cause | None:
    """The claim behind a volume, if something is wrong with it."""
    if volume.persistent_volume_claim is None:
        return None
    held = snapshot.get(v1.PersistentVolumeClaim, volume.persistent_volume_claim.claim_name, namespace)
    finding = claim.explain(snapshot, held) if held is not None else None
    return finding.as_cause() if finding is not None and finding.is_broken else None
