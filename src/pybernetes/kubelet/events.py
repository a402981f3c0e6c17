"""Events about pods, containers and the node, with the references that upstream's carry."""

from collections.abc import Mapping
from typing import Protocol

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import field_path

NORMAL, WARNING = "Normal", "Warning"


class Recorder(Protocol):
    """`client.events.EventRecorder`."""

    def event(self, obj: v1.ObjectReference, type: str, reason: str, message: str) -> None: ...


class Events:
    """Never blocks; the recorder aggregates and limits."""

    def __init__(self, recorder: Recorder, node_name: str) -> None:
        self._recorder, self._node_name = recorder, node_name

    def pod(self, pod: v1.Pod, type: str, reason: str, message: str) -> None:
        self._recorder.event(_reference(pod), type, reason, message)

    def container(self, pod: v1.Pod, name: str, type: str, reason: str, message: str) -> None:
        """About one container of the pod, named by its field path."""
        self._recorder.event(_reference(pod, field_path(pod, name)), type, reason, message)

    def volumes(self, pod: v1.Pod, failures: Mapping[str, str]) -> None:
        """Volumes that could not be set up: name -> why."""
        for name, why in failures.items():
            self.pod(pod, WARNING, "FailedMount", f'MountVolume.SetUp failed for volume "{name}" : {why}')

    def node(self, type: str, reason: str, message: str) -> None:
        """About this node. The uid is its name: that is where clients look for a kubelet's events."""
        name = self._node_name
        self._recorder.event(v1.ObjectReference(kind="Node", name=name, uid=name), type, reason, message)


def _reference(pod: v1.Pod, path: str | None = None) -> v1.ObjectReference:
    meta = pod.metadata
    return v1.ObjectReference(
        api_version="v1",
        kind="Pod",
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        resource_version=meta.resource_version,
        field_path=path,
    )
