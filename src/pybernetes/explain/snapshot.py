"""A moment of a cluster, as rules read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, TypeVar, cast

from pybernetes.api import time
from pybernetes.api.types import (
    admissionregistration_v1,
    apiextensions_v1,
    apiregistration_v1,
    apps_v1,
    autoscaling_v2,
    batch_v1,
    discovery_v1,
    meta_v1,
    networking_v1,
    policy_v1,
    storage_v1,
)
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.client.codec import HasMetadata
from pybernetes.explain.causes import Ref

T = TypeVar("T", bound=Object)
AnyContainer: TypeAlias = v1.Container | v1.EphemeralContainer

NAMESPACED: tuple[type[Object], ...] = (
    v1.Pod, v1.Service, v1.PersistentVolumeClaim, v1.ConfigMap, v1.Secret, v1.ServiceAccount, v1.Event,
    v1.ResourceQuota, v1.LimitRange, v1.ReplicationController,
    apps_v1.Deployment, apps_v1.ReplicaSet, apps_v1.StatefulSet, apps_v1.DaemonSet, batch_v1.Job, batch_v1.CronJob,
    autoscaling_v2.HorizontalPodAutoscaler, discovery_v1.EndpointSlice, networking_v1.Ingress,
    networking_v1.NetworkPolicy,
    policy_v1.PodDisruptionBudget,
)  # fmt: skip
GLOBAL: tuple[type[Object], ...] = (
    v1.Node, v1.Namespace, v1.PersistentVolume, storage_v1.StorageClass, storage_v1.VolumeAttachment,
    storage_v1.CSINode, networking_v1.IngressClass,
    apiregistration_v1.APIService, admissionregistration_v1.ValidatingWebhookConfiguration,
    admissionregistration_v1.MutatingWebhookConfiguration, apiextensions_v1.CustomResourceDefinition,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tags:
    """What a registry says of a repository: its tags, or that there is none."""

    exists: bool
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remain:
    """An object that a namespace which is being deleted still holds."""

    resource: str
    name: str
    finalizers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clues:
    """What the API's objects do not hold, as far as somebody could be asked.

    `tags` by repository ("docker.io/library/nginx"); `logs`: the last lines of (namespace, pod, container);
    `listening`: whether somebody does at (address, port); `remains` of the namespace that was asked about; `stopped`:
    nodes of this machine whose plug was pulled, which the cluster may not have noticed yet.
    """

    tags: Mapping[str, Tags] = field(default_factory=dict)
    logs: Mapping[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)
    listening: Mapping[tuple[str, int], bool] = field(default_factory=dict)
    remains: Sequence[Remain] = ()
    stopped: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Snapshot:
    """The objects of a moment, and clues. `unread` are kinds that the user may not list: nothing is said of them."""

    objects: Mapping[type[Object], Sequence[Object]]
    now: float
    home: str = "default"
    unread: frozenset[type[Object]] = frozenset()
    clues: Clues = field(default_factory=Clues)

    def all(self, kind: type[T], namespace: str = "") -> list[T]:
        """Objects of a kind, of one namespace or of all."""
        found = cast("Sequence[T]", self.objects.get(kind, ()))
        return [obj for obj in found if not namespace or meta(obj).namespace == namespace]

    def get(self, kind: type[T], name: str, namespace: str = "") -> T | None:
        return cast("T | None", self._by_name.get((kind, namespace, name)))

    def names(self, kind: type[Object], namespace: str = "") -> list[str]:
        return [meta(obj).name or "" for obj in self.all(kind, namespace)]

    def places(self, kind: type[Object], name: str) -> list[Ref]:
        """Objects of that name in whatever namespace."""
        return [ref(obj) for obj in self.all(kind) if meta(obj).name == name]

    @property
    def says_nothing(self) -> bool:
        """Whether the user may list nothing of all this: then it is no sign of health that nothing is wrong."""
        return not self.objects

    def is_missing(self, kind: type[Object], name: str, namespace: str = "") -> bool:
        """Whether it certainly does not exist."""
        return kind not in self.unread and self.get(kind, name, namespace) is None

    def owned(self, kind: type[T], owner: Object) -> list[T]:
        """What the owner controls."""
        uid = meta(owner).uid
        return [obj for obj in self.all(kind, meta(owner).namespace or "") if controller_uid(obj) == uid]

    def controller(self, obj: Object) -> Object | None:
        """The object that controls this one, where it was read."""
        uid = controller_uid(obj)
        return self._by_uid.get(uid) if uid else None

    def top(self, obj: Object) -> Object:
        """The object that a user changes to change this one: the Deployment of a pod of its ReplicaSet."""
        while (above := self.controller(obj)) is not None:
            obj = above
        return obj

    def events(self, obj: Object, *reasons: str) -> list[v1.Event]:
        """The object's events, newest first; with reasons only those."""
        found = self._events.get(meta(obj).uid or "", [])
        return [event for event in found if not reasons or event.reason in reasons]

    def age(self, moment: str | None) -> float:
        """Seconds since a time of the API; 0 if there is none."""
        return max(0.0, self.now - time.seconds(moment)) if moment else 0.0

    def command(self, verb: str, ref: Ref, rest: str = "") -> str:
        """A kubectl command about an object: `kubectl describe pod/web -n other`."""
        return f"kubectl {verb} {ref}{self.within(ref.namespace)}{' ' + rest if rest else ''}"

    def within(self, namespace: str) -> str:
        """The flag that a command needs for objects of a namespace."""
        return f" -n {namespace}" if namespace and namespace != self.home else ""

    @cached_property
    def _by_name(self) -> dict[tuple[type[Object], str, str], Object]:
        everything = ((kind, obj) for kind, each in self.objects.items() for obj in each)
        return {(kind, meta(obj).namespace or "", meta(obj).name or ""): obj for kind, obj in everything}

    @cached_property
    def _by_uid(self) -> dict[str, Object]:
        return {meta(obj).uid or "": obj for each in self.objects.values() for obj in each}

    @cached_property
    def _events(self) -> dict[str, list[v1.Event]]:
        found: dict[str, list[v1.Event]] = {}
        for event in sorted(self.all(v1.Event), key=event_time, reverse=True):
            found.setdefault(event.involved_object.uid or "", []).append(event)
        return found


def meta(obj: Object) -> meta_v1.ObjectMeta:
    return cast(HasMetadata, obj).metadata


def claim_names(pod: v1.Pod) -> Iterator[str]:
    """The claims that a pod mounts."""
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim:
            yield volume.persistent_volume_claim.claim_name
        elif volume.ephemeral:
            yield f"{pod.metadata.name}-{volume.name}"


def ref(obj: Object) -> Ref:
    found = meta(obj)
    return Ref(cast(HasMetadata, obj).kind.lower(), found.name or "", found.namespace or "")


def controller_uid(obj: Object) -> str:
    return next((owner.uid for owner in meta(obj).owner_references if owner.controller), "")


def event_time(event: v1.Event) -> str:
    series = event.series.last_observed_time if event.series else None
    return series or event.last_timestamp or event.event_time or event.metadata.creation_timestamp or ""


def condition(conditions: Sequence[Any], type: str) -> Any | None:
    """The condition of that type, whatever kind of object has it."""
    return next((each for each in conditions if each.type == type), None)
