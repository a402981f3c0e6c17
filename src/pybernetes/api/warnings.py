"""What is legal and yet most likely a mistake: the texts of Warning headers, in upstream's words."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from pybernetes.api.contents import by_content
from pybernetes.api.field import Path, quote
from pybernetes.api.mistakes import new_mistakes
from pybernetes.api.quantity import Quantity
from pybernetes.api.scheme import Resource

Tree: TypeAlias = dict[str, Any]
_Texts: TypeAlias = Iterator[str]

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_WHOLE_BYTES = ("memory", "ephemeral-storage")
_OLD_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_FORMATS = frozenset({
    "bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3", "uuid4", "uuid5", "isbn",
    "isbn10", "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor", "byte", "password", "date", "duration", "datetime",
    "date-time", "int32", "int64", "float", "double", "k8s-short-name", "k8s-long-name",
})  # fmt: skip


def warnings_for(resource: Resource, new: Tree, old: Tree | None = None) -> list[str]:
    """The warnings of a write: upstream's, none for a change that leaves the spec alone, and likely mistakes."""
    mistakes = new_mistakes(resource.kind, new, old)
    find = _WARNINGS.get((resource.group, resource.plural))
    if find is None or (old is not None and _judged(old) == _judged(new)):
        return mistakes
    return [*find(new), *mistakes]


def _judged(tree: Tree) -> Tree:
    return {name: value for name, value in tree.items() if name not in ("metadata", "status")}


def _pod(pod: Tree) -> _Texts:
    return _pod_spec(pod["spec"], Path("spec"))


def _template(*steps: str) -> Callable[[Tree], _Texts]:
    """The warnings of the pod template at a path."""

    def find(tree: Tree) -> _Texts:
        for step in steps:
            tree = tree.get(step) or {}
        return _pod_spec(tree.get("spec") or {}, Path(steps[0]).child(*steps[1:], "spec"))

    return find


def _pod_spec(spec: Tree, path: Path) -> _Texts:
    if not _is_plain(spec):
        yield from _pod_spec_texts(spec, path)


@by_content
def _is_plain(spec: Tree) -> bool:
    return next(_pod_spec_texts(spec, Path("spec")), None) is None


def _pod_spec_texts(spec: Tree, path: Path) -> _Texts:
    for label in spec.get("nodeSelector") or ():
        if label in _OLD_LABELS:
            yield f"{path.child('nodeSelector').key(label)}: {_OLD_LABELS[label]}"
    for index, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("gitRepo") is not None:
            yield f"{path.child('volumes').index(index).child('gitRepo')}: deprecated in v1.11"
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            yield f"{path.child('imagePullSecrets').index(index)}: invalid empty name {quote('')}"
    for kind in _CONTAINERS:
        for index, container in enumerate(spec.get(kind) or ()):
            yield from _container(container, path.child(kind).index(index))


def _container(container: Tree, path: Path) -> _Texts:
    ports: dict[tuple[int, str, int, str], int] = {}
    for index, port in enumerate(container.get("ports") or ()):
        key = (port["containerPort"], port.get("protocol", ""), port.get("hostPort", 0), port.get("hostIP", ""))
        at = path.child("ports")
        if key in ports:
            yield f"{at.index(index)}: duplicate port definition with {at.index(ports[key])}"
        ports.setdefault(key, index)
    taken: set[str] = set()
    for index, variable in enumerate(container.get("env") or ()):
        name = variable["name"]
        if name in taken:
            at = path.child("env").index(index)
            yield f"{at}: hides previous definition of {quote(name)}, which may be dropped when using apply"
        taken.add(name)
    for kind in ("limits", "requests"):
        for resource, amount in ((container.get("resources") or {}).get(kind) or {}).items():
            if resource in _WHOLE_BYTES and not Quantity.parse(amount).is_whole:
                at = path.child("resources", kind).key(resource)
                yield f"{at}: fractional byte value {quote(amount)} is invalid, must be an integer"


def _secret(secret: Tree) -> _Texts:
    """A pair of certificate and key that is none."""
    if secret.get("type") != "kubernetes.io/tls":
        return
    data = secret.get("data") or {}
    for key, called in (("tls.crt", "certificate"), ("tls.key", "key")):
        if b"-----BEGIN " not in b64decode(data.get(key, "")):
            yield f"tls: failed to find any PEM data in {called} input"
            return


def _custom_resource_definition(definition: Tree) -> _Texts:
    found: set[str] = set()
    for version in definition["spec"].get("versions") or ():
        found |= set(_formats((version.get("schema") or {}).get("openAPIV3Schema")))
    for name in sorted(found - _FORMATS):
        yield f"unrecognized format {quote(name)}"


def _formats(schema: Any) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    if schema.get("format"):
        yield schema["format"]
    for child in (*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")):
        yield from _formats(child)


_WARNINGS: dict[tuple[str, str], Callable[[Tree], _Texts]] = {
    ("", "pods"): _pod,
    ("", "podtemplates"): _template("template"),
    ("", "replicationcontrollers"): _template("spec", "template"),
    ("apps", "deployments"): _template("spec", "template"),
    ("apps", "replicasets"): _template("spec", "template"),
    ("apps", "statefulsets"): _template("spec", "template"),
    ("apps", "daemonsets"): _template("spec", "template"),
    ("batch", "jobs"): _template("spec", "template"),
    ("batch", "cronjobs"): _template("spec", "jobTemplate", "spec", "template"),
    ("", "secrets"): _secret,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _custom_resource_definition,
}
