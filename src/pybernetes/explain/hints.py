"""What the last words of a program that failed, and its mounts, say of the cause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import policy
from pybernetes.explain.causes import Cause
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import AnyContainer, Snapshot, ref
from pybernetes.explain.steps import change

_READ_ONLY = re.compile(r"[Rr]ead-only file system")
_A_PATH = re.compile(r"(?<![\w.])(/[\w./-]+)")
_FORBIDDEN = re.compile(
    r'User "?system:serviceaccount:(?P<home>[a-z0-9-]+):(?P<account>[a-z0-9.-]+)"? cannot (?P<verb>[a-z]+) '
    r'resource "(?P<resource>[a-z0-9/-]+)" in API group "(?P<group>[a-z0-9.-]*)"'
    r'(?: in the namespace "(?P<namespace>[a-z0-9-]+)"| at the cluster scope)'
)
"""A log is written by whoever runs in the pod: nothing of it gets into a command but what names are made of."""
_NO_BIND = re.compile(r"bind\b.*permission denied", re.IGNORECASE)
_FORMAT = re.compile(r"exec format error", re.IGNORECASE)
_UNANSWERED = re.compile(
    r"timed? ?out|i/o timeout|bad address|could not resolve|name or service not known|temporary failure in name resolution|"
    r"no route to host|ENOTFOUND|EAI_AGAIN|UnknownHostException",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"refused", re.IGNORECASE)
_ITSELF = re.compile(r"(?:\b127\.0\.0\.1|\blocalhost|::1)\]?\)?(?::|,? port )(?P<port>\d{1,5})\b", re.IGNORECASE)
_DENIED = re.compile(r"permission denied|EACCES", re.IGNORECASE)
_TAKEN = re.compile(r"address (?:is )?already in use", re.IGNORECASE)


def in_log(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, log: Sequence[str]) -> Iterator[Cause]:
    """Causes that a line names and the pod's spec bears out."""
    text = "\n".join(log).replace('\\"', '"')
    edit = change(snapshot, pod)
    own = (pod.metadata.namespace or "", pod.spec.service_account_name or "default")
    if (found := _FORBIDDEN.search(text)) and (found["home"], found["account"]) == own:
        yield _forbidden(found)
    context = container.security_context
    if _READ_ONLY.search(text) and context is not None and context.read_only_root_filesystem:
        line = next(line for line in log if _READ_ONLY.search(line))
        path = next(iter(_A_PATH.findall(line)), "")
        where = f": {path}" if path else ""
        step = f"mount an emptyDir where it writes, or leave readOnlyRootFilesystem out: {edit}"
        yield Cause(f"it writes to its image's files, and readOnlyRootFilesystem is set{where}", steps=(step,))
    if _NO_BIND.search(text):
        step = f"let it listen on 8080, say, and lead the Service there by targetPort, or add capability NET_BIND_SERVICE: {edit}"
        yield Cause("its user may not listen on a port below 1024", steps=(step,))
    elif _DENIED.search(text) and (user := _user(pod, container)) is not None:
        step = f"mount an emptyDir where it writes; volumes are its own by fsGroup: {user} of the pod's securityContext: {edit}"
        yield Cause(f"user {user}, as which its securityContext has it run, may not do that", steps=(step,))
    yield from _alone(snapshot, pod, log)
    if _FORMAT.search(text):
        yield Cause(f"image {container.image} has programs for another processor than this machine's", steps=(edit,))
    if _UNANSWERED.search(text):
        yield from _walled(snapshot, pod)
    if _TAKEN.search(text) and (pod.spec.host_network or len(pod.spec.containers) > 1):
        who = "the node" if pod.spec.host_network else "another container of the pod"
        yield Cause(f"somebody of {who} listens on its port already", steps=(f"take another port: {edit}",))


def _user(pod: v1.Pod, container: AnyContainer) -> int | None:
    """As whom a container runs by the pod's word, root apart; None where the image decides."""
    contexts = (container.security_context, pod.spec.security_context)
    named = [context.run_as_user for context in contexts if context is not None and context.run_as_user is not None]
    return named[0] if named and named[0] else None


def _alone(snapshot: Snapshot, pod: v1.Pod, log: Sequence[str]) -> Iterator[Cause]:
    """A connection to localhost that was refused: of what runs elsewhere that is the pod itself."""
    found = next((_ITSELF.search(line) for line in log if _REFUSED.search(line) and _ITSELF.search(line)), None)
    if found is None:
        return
    port, namespace = int(found["port"]), pod.metadata.namespace or ""
    others = [each for each in snapshot.all(v1.Service, namespace) if any(one.port == port for one in each.spec.ports)]
    name = others[0].metadata.name if others else ""
    what = f"it connects to port {port} of localhost, which is the pod itself, and nobody listens there"
    if name:
        what += f"; service {name} has that port"
    step = f"let it connect to {name or 'the name of the service'} in place of localhost: {change(snapshot, pod)}"
    yield Cause(what, steps=(step,))


def _walled(snapshot: Snapshot, pod: v1.Pod) -> Iterator[Cause]:
    """Policies that say whom the pod may connect to: whoever it waits for may not be among them."""
    for each in policy.of(snapshot, [pod]):
        if "Egress" in each.spec.policy_types:
            what = f"selects it: {'; '.join(policy.effects(each))}"
            yield Cause(what, ref(each), steps=(snapshot.command("edit", ref(each)),))


def _forbidden(found: re.Match[str]) -> Cause:
    """A service account that lacks a right, and the commands that give it."""
    home, account, verb, resource = found["home"], found["account"], found["verb"], found["resource"]
    where = f" in namespace {found['namespace']}" if found["namespace"] else ""
    full = f"{resource}.{found['group']}" if found["group"] else resource
    name = f"{verb}-{resource.replace('/', '-')}"
    kind = "role" if found["namespace"] else "clusterrole"
    within = f" -n {found['namespace']}" if found["namespace"] else ""
    return Cause(
        f"service account {account} of namespace {home} may not {verb} {full}{where}",
        steps=(
            f"kubectl create {kind} {name}{within} --verb={verb} --resource={full}",
            f"kubectl create {kind}binding {name}{within} --{kind}={name} --serviceaccount={home}:{account}",
        ),
    )


def in_mounts(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer) -> Iterator[Cause]:
    """subPaths that name no key of their ConfigMap or Secret: an empty directory stands there instead of a file."""
    volumes = {volume.name: volume for volume in pod.spec.volumes}
    for mount in container.volume_mounts:
        volume = volumes.get(mount.name)
        if volume is None or not mount.sub_path or "/" in mount.sub_path:
            continue
        found = _files(snapshot, volume, pod.metadata.namespace or "")
        if found is not None and mount.sub_path not in found[1]:
            source, files = found
            what = f"subPath {mount.sub_path} is no file of {source}{hint(mount.sub_path, files) or _has(files)}: an empty directory is mounted at {mount.mount_path}"
            yield Cause(what, steps=(f"correct subPath of container {container.name}: {change(snapshot, pod)}",))


def _files(snapshot: Snapshot, volume: v1.Volume, namespace: str) -> tuple[str, list[str]] | None:
    """The ConfigMap or Secret behind a volume, and the files that it has; None for other volumes."""
    if (config := volume.config_map) is not None:
        held = snapshot.get(v1.ConfigMap, config.name or "", namespace)
        keys = [*held.data, *held.binary_data] if held is not None else None
        items, name = config.items, f"configmap {config.name}"
    elif (secret := volume.secret) is not None:
        stored = snapshot.get(v1.Secret, secret.secret_name or "", namespace)
        keys = list(stored.data) if stored is not None else None
        items, name = secret.items, f"secret {secret.secret_name}"
    else:
        return None
    if keys is None:
        return None
    return name, [item.path for item in items] if items else keys


def _has(files: Sequence[str]) -> str:
    return f"; it has {', '.join(sorted(files)[:4])}" if files else ", which is empty"
