"""Images that do not come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from pybernetes.api.mistakes import meant_image
from pybernetes.api.types import apps_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.causes import Cause, Ref
from pybernetes.explain.nearest import nearest, nearest_tags
from pybernetes.explain.snapshot import AnyContainer, Snapshot, Tags, ref
from pybernetes.explain.steps import change
from pybernetes.wire.images.reference import InvalidReferenceError, Reference, parse

REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
OFFICIAL = (
    "alpine", "busybox", "caddy", "debian", "docker", "elasticsearch", "golang", "haproxy", "hello-world", "httpd",
    "influxdb", "mariadb", "memcached", "mongo", "mysql", "nginx", "node", "openjdk", "php", "postgres", "python",
    "rabbitmq", "redis", "registry", "ruby", "tomcat", "traefik", "ubuntu", "wordpress",
)  # fmt: skip
"""Well-known repositories of docker.io/library, for names that are a letter off."""
HOSTS = {"docker.io": "registry-1.docker.io"}
"""Where registries are that are called otherwise."""

_DENIED = re.compile(
    r"pull access denied|authorization failed|401 Unauthorized|403 Forbidden|no basic auth|insufficient_scope"
)
_UNREACHABLE = re.compile(r"failed to do request|dial tcp|connection refused|no such host|i/o timeout|timed out")
_FULL = re.compile(r"no space left on device|disk quota exceeded")
_STATUS = re.compile(
    r"unexpected status from (?P<method>\w+) request to (?P<url>https?://[^/\s]+)\S*: (?P<status>[45]\d\d [\w -]+)"
)
_PROXY = re.compile(r"proxyconnect tcp: (?P<why>.+)$|: (?P<code>Proxy Authentication Required)$")
_HUB = re.compile(r"docker\.(?:io|com)$")
_NO_PLATFORM = re.compile(r"no match for platform in manifest")
_CAUSE_IN_URL = re.compile(r'"(?P<url>https?://[^"/]+)[^"]*": (?P<why>.*)$')


def explain(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, waiting: v1.ContainerStateWaiting) -> Cause:
    """Why the image of a container that waits is not there."""
    cause = _explain(snapshot, pod, container, waiting)
    return cause if waiting.reason == "InvalidImageName" else _with_own(snapshot, pod, container, cause)


def _with_own(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, cause: Cause) -> Cause:
    """Named too: images that are here already by nearly this name, as of who builds `app:1` and deploys `app`."""
    reference = parse(container.image or "")
    own = nearest_tags(reference.tag, local_tags(snapshot, reference)) if reference.tag else []
    if not own or "close to it" in cause.what:
        return cause
    names = [f"{_without_tag(container.image or '')}:{tag}" for tag in own]
    steps = _set_image(snapshot, pod, container, names[0])
    return replace(cause, what=f"{cause.what}; the nodes have {', '.join(names)}", steps=steps)


def _explain(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, waiting: v1.ContainerStateWaiting) -> Cause:
    image, said = container.image or "", waiting.message or ""
    if waiting.reason == "InvalidImageName":
        return _malformed(snapshot, pod, container, said)
    if waiting.reason == "ErrImageNeverPull":
        return Cause(
            f"image {image} is not on the node, and imagePullPolicy is Never",
            seen=(said,),
            steps=(
                f"docker save {image} | sudo p8s image load    # or p8s image build -t {image} DIRECTORY",
                f"or have it pulled (imagePullPolicy: IfNotPresent): {change(snapshot, pod)}",
            ),
        )
    if _FULL.search(said):
        return Cause("the node's disk is full", seen=(said,), steps=("df -h /var/lib/pybernetes",))
    if found := _PROXY.search(said):
        return _no_proxy(found, said)
    if _UNREACHABLE.search(said):
        return _unreachable(image, said)
    reference = parse(image)
    tags = snapshot.clues.tags.get(reference.repository)
    if _DENIED.search(said) and not (tags and tags.names):
        return _denied(snapshot, pod, container, reference, said)
    if _NO_PLATFORM.search(said):
        return _other_platform(snapshot, pod, container, said)
    if "not found" in said:
        return _missing(snapshot, pod, container, reference, tags, said)
    if found := _STATUS.search(said):
        what = f"{_called(found['url'], image)} answers {found['status']}: it is out of order, or no registry"
        return Cause(what, seen=(said,), steps=_asked(found["url"], image))
    return Cause(f"image {image} could not be pulled", seen=(said,), steps=(snapshot.command("describe", ref(pod)),))


def notes(spec: v1.PodSpec) -> Iterator[str]:
    """What surprises later: a name that means another image from time to time, and is asked for once only."""
    for container in spec.containers:
        with suppress(InvalidReferenceError):
            if parse(container.image or "").tag == "latest" and container.image_pull_policy == "IfNotPresent":
                yield (
                    f"image {container.image} is taken as it is on the node, however old (imagePullPolicy IfNotPresent): "
                    "name a version, or set Always"
                )


def _malformed(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, said: str) -> Cause:
    image = container.image or ""
    if "@" in image and "sha256:" not in image:
        why = '"@" stands before a digest, a tag follows ":"'
    elif re.search(r"\s", image):
        why = "there is white space in it"
    elif image != image.lower():
        why = "names of repositories are lower case"
    else:
        why = "it is not [REGISTRY/]NAME[:TAG][@sha256:DIGEST]"
    steps = _set_image(snapshot, pod, container, meant_image(image))
    return Cause(f'image name "{image}" is malformed: {why}', seen=(said,), steps=steps)


def _unreachable(image: str, said: str) -> Cause:
    found = _CAUSE_IN_URL.search(said)
    where, why = (found["url"], found["why"]) if found else (image, "it does not answer")
    return Cause(f"{_called(where, image)} cannot be reached: {where}: {why}", seen=(said,), steps=_asked(where, image))


def _called(url: str, image: str) -> str:
    """The registry that the URL is of, as people know it."""
    if not _is_mirror(url, image):
        return f"the registry of image {image}"
    return f"the mirror of {parse(image).domain} that the cluster was given"


def _asked(url: str, image: str) -> tuple[str, ...]:
    host = url.partition("://")[2] or url
    steps = [f"curl -sS {url}/v2/    # from the node: is {host} the right name, is the network up?"]
    if _is_mirror(url, image):
        domain = parse(image).domain
        steps.append(f"or without it: sudo p8s restart --registry-mirror {domain}=https://{HOSTS.get(domain, domain)}")
    return tuple(steps)


def _is_mirror(url: str, image: str) -> bool:
    """Whether it is another's than the image's name says."""
    host, domain = url.partition("://")[2], parse(image).domain
    return bool(host) and host != domain and not (domain == "docker.io" and _HUB.search(host.partition(":")[0]))


def _no_proxy(found: re.Match[str], said: str) -> Cause:
    why = found["why"] or found["code"]
    steps = (
        "echo $HTTPS_PROXY $NO_PROXY    # what p8s start was told by its shell",
        "once that is right: sudo -E p8s restart",
    )
    return Cause(f"the proxy by which registries are to be asked does not let us through: {why}", seen=(said,), steps=steps)  # fmt: skip


def _denied(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, reference: Reference, said: str) -> Cause:
    host, image, namespace = reference.domain, container.image or "", pod.metadata.namespace or ""
    secrets = [each.name or "" for each in pod.spec.image_pull_secrets]
    absent = [name for name in secrets if snapshot.is_missing(v1.Secret, name, namespace)]
    close = _near_repositories(snapshot, reference)
    what = f"{host} has no image {reference.path}, or does not let us have it"
    if close:
        what += f"; names close to it: {', '.join(close)}"
        return Cause(
            what,
            seen=(said,),
            steps=_set_image(snapshot, pod, container, _rename(container.image or "", reference, close[0])),
        )
    if absent:
        return Cause(
            f"{what}: secret {absent[0]} of imagePullSecrets does not exist",
            seen=(said,),
            steps=(_login(snapshot, absent[0], host, namespace),),
        )
    if secrets:
        return Cause(f"{host} refuses the credentials of secret {', '.join(secrets)} for {image}", seen=(said,), steps=(
            f"kubectl delete secret {secrets[0]}{snapshot.within(namespace)}", _login(snapshot, secrets[0], host, namespace)))  # fmt: skip
    return Cause(
        f"{what} without credentials: the pod has no imagePullSecrets",
        seen=(said,),
        steps=(
            _login(snapshot, "regcred", host, namespace),
            f"""kubectl patch serviceaccount default{snapshot.within(namespace)} -p '{{"imagePullSecrets":[{{"name":"regcred"}}]}}'""",
        ),
    )


def _other_platform(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, said: str) -> Cause:
    node = snapshot.get(v1.Node, pod.spec.node_name or "")
    info = node.status.node_info if node is not None else None
    platform = f"{info.operating_system}/{info.architecture}" if info is not None else "the node's platform"
    what = f"image {container.image} is in the registry, but not for {platform}"
    build = f"build it for {platform}: docker build --platform {platform} --push -t {container.image} DIRECTORY"
    return Cause(what, seen=(said,), steps=(*_set_image(snapshot, pod, container, ""), build))


def _login(snapshot: Snapshot, secret: str, host: str, namespace: str) -> str:
    server = "" if host == "docker.io" else f" --docker-server={host}"
    return f"kubectl create secret docker-registry {secret}{snapshot.within(namespace)}{server} --docker-username=... --docker-password=..."


def _missing(
    snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, reference: Reference, tags: Tags | None, said: str
) -> Cause:
    where = "the registry" if reference.domain == "docker.io" else reference.domain
    what = f"image {container.image} is not in {where}"
    if tags is None or tags.exists:
        known = set(tags.names if tags else ()) | set(local_tags(snapshot, reference))
        close = nearest_tags(reference.tag, known) if reference.tag else []
        if close:
            words = f"{what}; tags close to it: {', '.join(close)}"
            better = f"{_without_tag(container.image or '')}:{close[0]}"
            return Cause(words, seen=(said,), steps=_set_image(snapshot, pod, container, better))
        if known and not reference.tag:
            what += ": no such digest"
    close = _near_repositories(snapshot, reference)
    if close:
        what += f"; names close to it: {', '.join(close)}"
    better = _rename(container.image or "", reference, close[0]) if close else ""
    return Cause(what, seen=(said,), steps=_set_image(snapshot, pod, container, better))


def _set_image(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, image: str) -> tuple[str, ...]:
    """Take the image that is probably meant, where the pod's owner allows to; or go back."""
    top = ref(snapshot.top(pod))
    better = f"{container.name}={image or 'IMAGE:TAG'}"
    if top.kind == "pod":
        return (snapshot.command("set image", top, better),)
    step = change(snapshot, pod, "set image", better, instead=f"take image {image or 'IMAGE:TAG'} in")
    return (step, *undo(snapshot, top))


def undo(snapshot: Snapshot, top: Ref) -> tuple[str, ...]:
    """The way back, where there is one: a Deployment that had another version before."""
    deployment = snapshot.get(apps_v1.Deployment, top.name, top.namespace) if top.kind == "deployment" else None
    if deployment is None or len(snapshot.owned(apps_v1.ReplicaSet, deployment)) < 2:
        return ()
    return (snapshot.command("rollout undo", top),)


def local_tags(snapshot: Snapshot, reference: Reference) -> Iterator[str]:
    """Tags of the repository that a node has already."""
    return (found.tag for found in _local(snapshot) if found.repository == reference.repository and found.tag)


def _near_repositories(snapshot: Snapshot, reference: Reference) -> list[str]:
    here = {found.path for found in _local(snapshot) if found.domain == reference.domain}
    if reference.domain == "docker.io" and reference.path.startswith("library/"):
        name = reference.path.removeprefix("library/")
        return nearest(
            name, {*OFFICIAL, *(path.removeprefix("library/") for path in here if path.startswith("library/"))}
        )
    return nearest(reference.path, here)


def _local(snapshot: Snapshot) -> Iterator[Reference]:
    for node in snapshot.all(v1.Node):
        for image in node.status.images:
            for name in image.names:
                try:
                    yield parse(name)
                except InvalidReferenceError:
                    continue


def _rename(image: str, reference: Reference, name: str) -> str:
    prefix = "" if reference.domain == "docker.io" else f"{reference.domain}/"
    tag = f":{reference.tag}" if reference.tag and image.endswith(f":{reference.tag}") else ""
    return f"{prefix}{name}{tag}"


def _without_tag(image: str) -> str:
    head, colon, tail = image.rpartition(":")
    return head if colon and "/" not in tail else image
