"""What the API takes although its writer most likely meant something else, where upstream says nothing.

Each mistake is told at the write as a Warning header (beside `api.warnings`, which has upstream's own) and again by
whoever explains the object. They are few, and sure: what healthy manifests contain is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Any, TypeAlias

from pybernetes.api.caching import short_cache
from pybernetes.api.contents import by_content
from pybernetes.api.field import Path, quote
from pybernetes.api.tree import Tree
from pybernetes.wire.images.reference import InvalidReferenceError, parse

_Texts: TypeAlias = Iterator[str]

POD_SPECS: Mapping[str, Sequence[str]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where each kind has its PodSpec."""

DOMAIN = "kubernetes.io"
KEYS = {
    "kubernetes.io": (
        "arch", "change-cause", "description", "enforce-mountable-secrets", "hostname", "ingress.class",
        "metadata.name", "os", "service-account.name", "service-account.uid", "service-name",
    ),
    "app.kubernetes.io": ("component", "created-by", "instance", "managed-by", "name", "part-of", "version"),
    "topology.kubernetes.io": ("region", "zone"),
}  # fmt: skip
"""Keys that Kubernetes defines, of the domains in which people write by hand."""

_ALIKE = 0.85
_BYTES = re.compile(r"[KMGTPE]i$")


def mistakes_in(kind: str, tree: Tree) -> list[str]:
    """Texts about an object as it is stored; none for almost all."""
    return list(_find(kind, tree))


def new_mistakes(kind: str, new: Tree, old: Tree | None) -> list[str]:
    """Those of a write: what was there before was told then."""
    found = mistakes_in(kind, new)
    if not found or old is None:
        return found
    known = set(mistakes_in(kind, old))
    return [text for text in found if text not in known]


def _find(kind: str, tree: Tree) -> _Texts:
    yield from _metadata(tree.get("metadata") or {}, Path("metadata"))
    steps = POD_SPECS.get(kind)
    if steps is None:
        return
    above: Any = tree
    for step in steps[:-1]:
        above = above.get(step) or {}
    path = Path(steps[0]).child(*steps[1:])
    if len(steps) > 1:
        yield from _metadata(above.get("metadata") or {}, Path(steps[0]).child(*steps[1:-1], "metadata"))
    spec = above.get(steps[-1]) or {}
    if not _is_plain(spec):
        yield from _pod_spec(spec, path)


@by_content
def _is_plain(spec: Tree) -> bool:
    return next(_pod_spec(spec, Path("spec")), None) is None


def _pod_spec(spec: Tree, path: Path) -> _Texts:
    yield from _keys(spec.get("nodeSelector") or {}, path.child("nodeSelector"))
    for containers in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(containers) or ()):
            yield from _container(container, path.child(containers).index(index))


def _metadata(metadata: Tree, path: Path) -> _Texts:
    for field in ("labels", "annotations"):
        if keys := metadata.get(field):
            yield from _keys(keys, path.child(field))


def _keys(keys: Mapping[str, Any], path: Path) -> _Texts:
    for key in keys:
        if "/" in key and (better := meant(key)):
            yield f"{path.key(key)}: unknown key, did you mean {quote(better)}?"


@short_cache(1024)
def meant(key: str) -> str:
    """The well-known key that a label's or annotation's is a letter or two away from; "" if it is none of these."""
    domain, _, name = key.partition("/")
    right = _domain(domain)
    known = KEYS.get(right, ())
    close = [name] if name in known else get_close_matches(name, known, 1, _ALIKE)
    if right == domain:
        return f"{domain}/{close[0]}" if close and close[0] != name else ""
    return f"{right}/{close[0] if close else name}"


def _domain(domain: str) -> str:
    """With `kubernetes` for what is nearly that."""
    head, dot, last_two = _split(domain)
    second, _, top = last_two.partition(".")
    if top != "io" or second == "kubernetes" or SequenceMatcher(None, second, "kubernetes").ratio() < _ALIKE:
        return domain
    return f"{head}{dot}{DOMAIN}"


def _split(domain: str) -> tuple[str, str, str]:
    labels = domain.split(".")
    head = ".".join(labels[:-2])
    return head, "." if head else "", ".".join(labels[-2:])


def _container(container: Tree, path: Path) -> _Texts:
    if image := container.get("image"):
        for complaint in _image(image):
            yield f"{path.child('image')}: {complaint}"
    words: list[str] = container.get("command") or []
    if len(words) == 1 and " " in words[0].strip() and not container.get("args"):
        better = ", ".join(quote(word) for word in words[0].split())
        yield f"{path.child('command')}: {quote(words[0])} is looked for as one program, did you mean [{better}]?"
    names = {port.get("name") for port in container.get("ports") or ()}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        yield from _probe(container.get(probe) or {}, names, path.child(probe))
    for kind in ("limits", "requests"):
        amount = ((container.get("resources") or {}).get(kind) or {}).get("cpu", "")
        if isinstance(amount, str) and _BYTES.search(amount):
            yield f'{path.child("resources", kind).key("cpu")}: {quote(amount)} is a number of bytes, cpu is in cores ("500m", "2")'


@short_cache(1024)
def _image(image: str) -> tuple[str, ...]:
    try:
        parse(image)
    except InvalidReferenceError as error:
        better = meant_image(image)
        return (f"{quote(image)}: {error}" + (f", did you mean {quote(better)}?" if better else ""),)
    return ()


def meant_image(image: str) -> str:
    """The image name that was probably meant by one that is malformed; "" if that cannot be told."""
    name, at, rest = image.partition("@")
    candidates = [
        f"{name}:{rest}" if at and rest and ":" not in rest else "",
        re.sub(r"\s*([:/@])\s*", r"\1", image.strip()),
        image.lower(),
    ]
    for candidate in candidates:
        if candidate and candidate != image:
            try:
                parse(candidate)
            except InvalidReferenceError:
                continue
            return candidate
    return ""


def _probe(probe: Tree, names: set[str | None], path: Path) -> _Texts:
    """A port by a name that the container does not give."""
    for action in ("httpGet", "tcpSocket"):
        port = (probe.get(action) or {}).get("port")
        if isinstance(port, str) and port not in names:
            close = get_close_matches(port, [name for name in names if name], 1)
            better = f", did you mean {quote(close[0])}?" if close else ""
            yield f"{path.child(action, 'port')}: the container has no port named {quote(port)}{better}"
