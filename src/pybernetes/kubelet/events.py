"""Events about pods, containers and the node, with the references that upstream's carry."""

from collections.abc import Mapping
from typing import Protocol

from pybernetes.api.types import core_v1 as v1
from pybernetes.client.events import reference_to
from pybernetes.kubelet.podspec import field_path
from pybernetes.kubelet.volumes.files import VolumeError

NORMAL, WARNING = "Normal", "Warning"


class Recorder(Protocol):
    """`client.events.EventRecorder`."""

    def event(self, obj: v1.ObjectReference, type: str, reason: str, message: str) -> None: ...


class Events:
    """Never blocks; the recorder aggregates and limits."""

    def __init__(self, recorder: Recorder, node_name: str) -> None:
        self._recorder, self._node_name = recorder, node_name

    def pod(self, pod: v1.Pod, type: str, reason: str, message: str) -> None:
        self._recorder.event(reference_to(pod), type, reason, message)

    def about(self, obj: v1.ObjectReference, type: str, reason: str, message: str) -> None:
        """About something else that the kubelet looks after."""
        self._recorder.event(obj, type, reason, message)

    def container(self, pod: v1.Pod, name: str, type: str, reason: str, message: str) -> None:
        """About one container of the pod, named by its field path."""
        self._recorder.event(reference_to(pod, field_path(pod, name) or ""), type, reason, message)

    def volumes(self, pod: v1.Pod, failures: Mapping[str, VolumeError]) -> None:
        """Volumes that could not be set up: name -> why."""
        for name, error in failures.items():
            self.pod(pod, WARNING, error.reason, error.told(name))

    def node(self, type: str, reason: str, message: str) -> None:
        """About this node. The uid is its name: that is where clients look for a kubelet's events."""
        name = self._node_name
        self._recorder.event(v1.ObjectReference(kind="Node", name=name, uid=name), type, reason, message)
