"""Containers that cannot be made: what their spec refers to is not there, or their command is not in the image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import program
from pybernetes.explain.causes import Cause
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import AnyContainer, Snapshot, ref
from pybernetes.explain.steps import change, rename
from pybernetes.explain.terms import listed

REASONS = frozenset({
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError",
    "PreStartHookError", "PostStartHookError",
})  # fmt: skip
KINDS: dict[str, type[v1.ConfigMap] | type[v1.Secret]] = {"configmap": v1.ConfigMap, "secret": v1.Secret}

_NO_OBJECT = re.compile(r'(?P<kind>configmap|secret)s? "(?P<name>[^"]+)" not found')
_NO_KEY = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>ConfigMap|Secret) [^/\s]*/(?P<name>\S+)")
_NO_FILE_KEY = re.compile(r"references non-existent (?P<kind>config|secret) key: (?P<key>\S+)")
_ROOT = re.compile(r"runAsNonRoot")


def explain(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, waiting: v1.ContainerStateWaiting) -> Cause:
    """Why the container could not be made."""
    said = waiting.message or ""
    if found := refers_to_nothing(snapshot, pod, said):
        return _with_others(snapshot, pod, container, found)
    if _ROOT.search(said):
        return Cause(
            "runAsNonRoot is set, and the image's user is root",
            seen=(said,),
            steps=(
                f"set securityContext.runAsUser: 1000, or take an image with a user of its own: {change(snapshot, pod)}",
            ),
        )
    if found := program.cannot_start(snapshot, pod, container, said):
        return found
    return Cause(
        f"the container could not be made: {waiting.reason}",
        seen=(said,),
        steps=(snapshot.command("describe", ref(pod)),),
    )


def _with_others(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, found: Cause) -> Cause:
    """The kubelet names only the first that is missing; those that it would name next are told along."""
    namespace = pod.metadata.namespace or ""
    others = [
        (kind, name)
        for kind, name in dict.fromkeys(_variables_of(container))
        if snapshot.is_missing(KINDS[kind], name, namespace) and not found.what.startswith(f"{kind} {name} ")
    ]
    if not others:
        return found
    what = f"{found.what}; nor {'does' if len(others) == 1 else 'do'} {listed([f'{kind} {name}' for kind, name in others])}"
    return replace(found, what=what, steps=(*found.steps, *(_create(snapshot, *each, namespace) for each in others)))


def _variables_of(container: AnyContainer) -> Iterator[tuple[str, str]]:
    """Kind and name of what its environment cannot be made without."""
    for source in container.env_from:
        for kind, named in (("configmap", source.config_map_ref), ("secret", source.secret_ref)):
            if named is not None and not named.optional:
                yield kind, named.name or ""
    for variable in container.env:
        value = variable.value_from
        for kind, key in (("configmap", value.config_map_key_ref), ("secret", value.secret_key_ref)) if value else ():
            if key is not None and not key.optional:
                yield kind, key.name or ""


def refers_to_nothing(snapshot: Snapshot, pod: v1.Pod, said: str) -> Cause | None:
    """A ConfigMap or Secret, or a key of one, that does not exist; None if the words are about something else."""
    namespace = pod.metadata.namespace or ""
    if found := _NO_OBJECT.search(said):
        kind, name = found["kind"], found["name"]
        there_are = snapshot.names(KINDS[kind], namespace)
        return Cause(
            f"{kind} {name} does not exist{hint(name, there_are)}",
            seen=(said,),
            steps=(*rename(snapshot, pod, name, there_are), _create(snapshot, kind, name, namespace)),
        )
    if found := _NO_KEY.search(said):
        kind, name, key = found["kind"].lower(), found["name"], found["key"]
        return _no_key(snapshot, pod, kind, name, key, said)
    return None


def _no_key(snapshot: Snapshot, pod: v1.Pod, kind: str, name: str, key: str, said: str) -> Cause:
    namespace = pod.metadata.namespace or ""
    obj = snapshot.get(KINDS[kind], name, namespace)
    keys = list(obj.data) if isinstance(obj, v1.ConfigMap | v1.Secret) else []
    has = f"; it has: {', '.join(sorted(keys))}" if keys else ""
    add = f"add the key: kubectl edit {kind} {name}{snapshot.within(namespace)}"
    steps = rename(snapshot, pod, key, keys) or (add,)
    return Cause(f"{kind} {name} has no key {key}{has}", seen=(said,), steps=steps)


def no_file_key(snapshot: Snapshot, pod: v1.Pod, volume: v1.Volume, said: str) -> Cause | None:
    """A key that a volume names as a file, and that its ConfigMap or Secret does not have."""
    if not (found := _NO_FILE_KEY.search(said)):
        return None
    source = volume.config_map or volume.secret
    name = volume.config_map.name if volume.config_map else volume.secret.secret_name if volume.secret else None
    if source is None or not name:
        return None
    kind = "configmap" if volume.config_map else "secret"
    return _no_key(snapshot, pod, kind, name, found["key"], said)


def _create(snapshot: Snapshot, kind: str, name: str, namespace: str) -> str:
    what = "configmap" if kind == "configmap" else "secret generic"
    return f"kubectl create {what} {name}{snapshot.within(namespace)} --from-literal=KEY=VALUE"
