"""The plugin: check each quota of the namespace, then book what the object will use."""

import logging
from collections.abc import Mapping
from typing import Protocol

from pybernetes.api.errors import StatusError, is_conflict, is_not_found
from pybernetes.api.quantity import Quantity
from pybernetes.api.quota.amounts import ZERO, Amounts, add, amounts
from pybernetes.api.quota.scopes import is_terminating, matches
from pybernetes.api.quota.usage import usage
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree, copied
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.objects import Objects

log = logging.getLogger(__name__)
TRIES = 8
UPDATES = frozenset(("pods", "services", "persistentvolumeclaims"))
POD_REQUIRES = {
    **{name: ("requests", name) for name in ("cpu", "memory")},
    **{f"requests.{name}": ("requests", name) for name in ("cpu", "memory")},
    **{f"limits.{name}": ("limits", name) for name in ("cpu", "memory")},
}


class QuotaStatus(Protocol):
    """Writes a quota's status if it has not changed since it was read."""

    async def update(self, quota: Tree) -> None:
        """Raises StatusError: a conflict if somebody was faster."""
        ...


class ResourceQuota(Plugin):
    name = "ResourceQuota"
    operations = frozenset(("CREATE", "UPDATE"))
    subresources = frozenset(("", "resize"))

    def __init__(self, objects: Objects, status: QuotaStatus) -> None:
        self._objects = objects
        self._status = status

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        if not resource.namespaced or not super().handles(operation, resource, subresource):
            return False
        if subresource:
            return resource.group_resource == "pods" and operation == "UPDATE"
        return operation == "CREATE" or resource.group_resource in UPDATES

    async def validate(self, attributes: Attributes) -> None:
        if attributes.object is None or _is_other_pod_update(attributes):
            return
        done: set[str] = set()
        for _ in range(TRIES):
            pending = self._check(attributes, done)
            if attributes.dry_run or await self._write(pending, done):
                return
        raise refuse(attributes, "unable to update quota usage, please try again")

    async def _write(self, pending: list[Tree], done: set[str]) -> bool:
        """Book; False if somebody else booked at the same time, so that all that is not `done` is looked at again."""
        for quota in pending:
            try:
                await self._status.update(quota)
            except StatusError as error:
                if is_conflict(error) or is_not_found(error):
                    return False
                raise
            done.add(quota["metadata"]["name"])
        return True

    def _check(self, attributes: Attributes, done: set[str]) -> list[Tree]:
        """The quotas, but for those `done`, with what they hold after the write. Raises StatusError if one is exceeded."""
        resource, obj = attributes.resource, attributes.object or {}
        quotas = self._objects.list("", "resourcequotas", attributes.namespace)
        if not quotas:
            return []
        used = usage(resource, obj)
        booked: list[Tree] = []
        for quota in quotas:
            if quota["metadata"]["name"] in done or not matches(quota, resource, obj):
                continue
            hard = amounts((quota.get("status") or {}).get("hard"))
            if resource.group_resource == "pods":
                _check_required(attributes, quota, hard, obj)
            had = usage(resource, attributes.old) if attributes.old and matches(quota, resource, attributes.old) else {}
            change = _difference(used, had)
            asked = {name: value for name, value in change.items() if name in hard and value.nanos}
            if asked:
                booked.append(self._book(attributes, quota, hard, asked))
        return booked

    @staticmethod
    def _book(attributes: Attributes, quota: Tree, hard: Amounts, asked: Amounts) -> Tree:
        name = quota["metadata"]["name"]
        used = amounts(quota["status"].get("used"))
        unknown = sorted(set(asked) - set(used))
        if unknown:
            raise refuse(attributes, f"status unknown for quota: {name}, resources: {','.join(unknown)}")
        total = add(used, asked)
        exceeded = sorted(key for key, value in asked.items() if value.nanos > 0 and total[key] > hard[key])
        if exceeded:
            raise refuse(
                attributes,
                f"exceeded quota: {name}, requested: {_listed(asked, exceeded)}, "
                f"used: {_listed(used, exceeded)}, limited: {_listed(hard, exceeded)}",
            )
        changed = copied(quota)
        changed["status"]["used"] = {key: str(value) for key, value in total.items()}
        return changed


def _is_other_pod_update(attributes: Attributes) -> bool:
    """Of a pod's updates only those count that bring it under other quotas: it is given a deadline, or loses it."""
    if attributes.resource.group_resource != "pods" or attributes.subresource or attributes.operation != "UPDATE":
        return False
    old, new = attributes.old or {}, attributes.object or {}
    return is_terminating(old) == is_terminating(new)


def _check_required(attributes: Attributes, quota: Tree, hard: Mapping[str, Quantity], pod: Tree) -> None:
    """A pod must say how much it wants of what is limited: otherwise the limit could not be kept."""
    missing: dict[str, list[str]] = {}
    spec = pod["spec"]
    for name in hard:
        field, resource = POD_REQUIRES.get(name, ("", ""))
        if not field or resource in ((spec.get("resources") or {}).get(field) or {}):
            continue
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            if resource not in ((container.get("resources") or {}).get(field) or {}):
                missing.setdefault(name, []).append(container["name"])
    if missing:
        listed = "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))
        raise refuse(attributes, f"failed quota: {quota['metadata']['name']}: must specify {listed}")


def _difference(new: Amounts, old: Amounts) -> Amounts:
    return {
        name: Quantity(
            new.get(name, ZERO).nanos - old.get(name, ZERO).nanos, (new.get(name) or old.get(name, ZERO)).format
        )
        for name in new.keys() | old.keys()
    }


def _listed(values: Amounts, names: list[str]) -> str:
    return ",".join(f"{name}={values[name]}" for name in names)
