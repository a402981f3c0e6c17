"""What a pod's status says of its containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import MAX_INT32
from pybernetes.api.validation.kinds import Errors

KINDS: Final = {
    "containerStatuses": "containers",
    "initContainerStatuses": "initContainers",
    "ephemeralContainerStatuses": "ephemeralContainers",
}
"""Each list of statuses, and the containers that it is about."""
_HEALTH: Final = ("Healthy", "Unhealthy", "Unknown")
_MAX_MESSAGE = 256


def validate_states(new: Tree, old: Tree, path: Path) -> Errors:
    """A container that has ended for good does not come back."""
    for name, kind in KINDS.items():
        if kind != "ephemeralContainers" and _may_restart_all(old["spec"]):
            continue
        now = {one["name"]: one for one in reversed(_statuses(new, name))}
        containers = {one["name"]: one for one in old["spec"].get(kind) or ()}
        for index, status in enumerate(_statuses(old, name)):
            ended = (status.get("state") or {}).get("terminated")
            if ended is None or status["name"] not in now:
                continue
            if (now[status["name"]].get("state") or {}).get("terminated") is not None:
                continue
            container = containers.get(status["name"]) if kind != "ephemeralContainers" else None
            if container is None or not _restarts(container, old["spec"], ended.get("exitCode", 0)):
                at = path.child(name).index(index).child("state")
                yield field.forbidden(at, "may not be transitioned to non-terminated state")


def _statuses(pod: Tree, name: str) -> list[Tree]:
    return (pod.get("status") or {}).get(name) or []


def _may_restart_all(spec: Tree) -> bool:
    """Whether any rule can make all containers begin anew (KEP-5532)."""
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    rules = (rule for one in containers for rule in one.get("restartPolicyRules") or ())
    return any(rule.get("action") == "RestartAllContainers" for rule in rules)


def _restarts(container: Tree, spec: Tree, code: int) -> bool:
    """Whether a container runs again that left with this code: by its own rules and policy, else by the pod's."""
    policy = container.get("restartPolicy")
    if policy:
        for rule in container.get("restartPolicyRules") or ():
            codes = rule.get("exitCodes") or {}
            if (code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
                return True
    match policy or spec.get("restartPolicy"):
        case "Never":
            return False
        case "OnFailure":
            return code != 0
        case _:
            return True


def validate_containers(new: Tree, path: Path) -> Errors:
    """Whom they run as, and which devices they have."""
    windows = (new["spec"].get("os") or {}).get("name") == "windows"
    for status, at in _all(new, path):
        user = (status.get("user") or {}).get("linux")
        if user is not None:
            yield from _validate_user(user, windows, at.child("user", "linux"))
    for name, kind in KINDS.items():
        containers = {one["name"]: one for one in reversed(new["spec"].get(kind) or ())}
        for index, status in enumerate(_statuses(new, name)):
            at = path.child(name).index(index).child("allocatedResourcesStatus")
            devices = status.get("allocatedResourcesStatus") or []
            if kind != "ephemeralContainers":
                yield from _validate_devices(devices, containers.get(status.get("name", "")), at)
            elif devices:
                yield field.forbidden(at, "must not be specified in container status")


def _all(pod: Tree, path: Path) -> Iterator[tuple[Tree, Path]]:
    for name in KINDS:
        for index, status in enumerate(_statuses(pod, name)):
            yield status, path.child(name).index(index)


def _validate_user(user: Tree, windows: bool, path: Path) -> Errors:
    if windows:
        yield field.forbidden(path, "cannot be set for a windows pod")
        return
    ids = [("uid", user.get("uid", 0)), ("gid", user.get("gid", 0))]
    places = [(path.child(name), one) for name, one in ids]
    groups = path.child("supplementalGroups")
    places += [(groups.index(index), one) for index, one in enumerate(user.get("supplementalGroups") or ())]
    for at, one in places:
        if not 0 <= one <= MAX_INT32:
            yield field.invalid(at, one, f"must be between 0 and {MAX_INT32}, inclusive")


def _validate_devices(devices: list[Tree], container: Tree | None, path: Path) -> Errors:
    """Of a container that the pod does not have, only the devices themselves are looked at."""
    for index, device in enumerate(devices):
        name, at = device.get("name", ""), path.index(index)
        if container is not None and (detail := _unrequested(name, container.get("resources") or {})):
            yield field.invalid(at.child("name"), name, detail)
        taken: set[str] = set()
        for number, one in enumerate(device.get("resources") or ()):
            yield from _validate_health(one, at.child("resources").index(number))
            if one.get("resourceID", "") in taken:
                yield field.duplicate(at.child("resources").index(number).child("resourceID"), one["resourceID"])
            taken.add(one.get("resourceID", ""))


def _unrequested(name: str, resources: Tree) -> str:
    if not name.startswith("claim:"):
        return (
            "" if name in (resources.get("requests") or ()) else "must match one of the container's resource requests"
        )
    for claim in resources.get("claims") or ():
        request = f"/{claim['request']}" if claim.get("request") else ""
        if name == f"claim:{claim['name']}{request}":
            return ""
    return (
        "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' "
        "or 'claim:<claimName>' if request is empty"
    )


def _validate_health(resource: Tree, path: Path) -> Errors:
    health, message = resource.get("health", ""), resource.get("message")
    if health not in _HEALTH:
        yield field.not_supported(path.child("health"), health, _HEALTH)
    if message == "":
        yield field.required(path.child("message"), "must be non-empty if specified")
    elif message is not None and len(message) > _MAX_MESSAGE:
        yield field.too_long(path.child("message"), _MAX_MESSAGE)
