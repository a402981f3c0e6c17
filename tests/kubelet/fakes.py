"""An API, its objects and a recorder in memory, whose behaviour a test controls."""

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec

from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.objects import ConfigError

NOW_FACTOR = 10**9


class FakeApi:
    """Pods of an API server as far as a kubelet writes them: status patches and deletions."""

    def __init__(self) -> None:
        self.pods: dict[str, v1.Pod] = {}
        self.writes: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.failures: list[StatusError] = []
        self._version = itertools.count(100)

    def put(self, pod: v1.Pod) -> v1.Pod:
        meta = msgspec.structs.replace(pod.metadata, resource_version=str(next(self._version)))
        self.pods[pod.metadata.name or ""] = stored = msgspec.structs.replace(pod, metadata=meta)
        return stored

    async def patch_status(self, name: str, namespace: str, patch: Mapping[str, Any]) -> v1.Pod:
        if self.failures:
            raise self.failures.pop(0)
        if name not in self.pods:
            raise StatusError(404, "NotFound", f'pods "{name}" not found')
        self.writes.append(dict(patch["status"]))
        tree = msgspec.to_builtins(self.pods[name].status)
        for field, value in patch["status"].items():
            if field == "conditions":
                merged = {c["type"]: c for c in tree.get(field, [])}
                for change in value:
                    if change.get("$patch") == "delete":
                        merged.pop(change["type"], None)
                        continue
                    whole = merged.get(change["type"], {}) | change
                    merged[change["type"]] = {key: item for key, item in whole.items() if item is not None}
                value = list(merged.values())
            elif isinstance(value, list):
                value = [item for item in value if item != {"$patch": "replace"}]
            if value is None:
                tree.pop(field, None)
            else:
                tree[field] = value
        return self.put(msgspec.structs.replace(self.pods[name], status=msgspec.convert(tree, v1.PodStatus)))

    async def delete(self, name: str, namespace: str, uid: str) -> None:
        self.deleted.append(uid)
        self.pods.pop(name, None)


class FakeObjects:
    """ConfigMaps and Secrets by namespace and name."""

    def __init__(self) -> None:
        self.config_maps: dict[str, v1.ConfigMap] = {}
        self.secrets: dict[str, v1.Secret] = {}

    def use(self, pod: v1.Pod) -> None:
        return None

    def release(self, uid: str) -> None:
        return None

    async def config_map(self, namespace: str, name: str, *, optional: bool = False) -> v1.ConfigMap | None:
        if name not in self.config_maps and not optional:
            raise ConfigError(f'configmap "{name}" not found')
        return self.config_maps.get(name)

    async def secret(self, namespace: str, name: str, *, optional: bool = False) -> v1.Secret | None:
        if name not in self.secrets and not optional:
            raise ConfigError(f'secret "{name}" not found')
        return self.secrets.get(name)


class FakeRecorder:
    """Events as (reason, message) in the order in which they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.references: list[v1.ObjectReference] = []

    def event(self, obj: v1.ObjectReference, type: str, reason: str, message: str) -> None:
        self.told.append((reason, message))
        self.references.append(obj)

    @property
    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.told]
