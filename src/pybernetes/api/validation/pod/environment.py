"""Environment variables, and the references to fields and keys that they share with volumes."""

from __future__ import annotations

from collections.abc import Collection

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import require
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.paths import no_backsteps

_FIELD_LABELS = frozenset({
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName", "status.phase", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
})  # fmt: skip
ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_RESOURCE_FIELDS = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory",
)  # fmt: skip
_HUGE_PAGES = ("requests.hugepages-", "limits.hugepages-")
_CPU_DIVISORS = ("1m", "1")
_MEMORY_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def validate_env(env: list[Tree], path: Path) -> Errors:
    for index, variable in enumerate(env):
        at = path.index(index)
        name = variable["name"]
        if not name:
            yield field.required(at.child("name"))
        else:
            yield from complain(at.child("name"), name, names.env_var_name(name))
        if "valueFrom" in variable:
            yield from _validate_value_from(variable, at.child("valueFrom"))


def _validate_value_from(variable: Tree, path: Path) -> Errors:
    source = variable["valueFrom"]
    told = [name for name in _SOURCES if source.get(name) is not None]
    if source.get("fieldRef") is not None:
        yield from validate_field_ref(source["fieldRef"], ENV_FIELDS, path.child("fieldRef"))
    if source.get("resourceFieldRef") is not None:
        yield from validate_resource_field_ref(source["resourceFieldRef"], path.child("resourceFieldRef"), volume=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if source.get(name) is not None:
            yield from _validate_key_ref(source[name], path.child(name))
    if source.get("fileKeyRef") is not None:
        yield from _validate_file_ref(source["fileKeyRef"], path.child("fileKeyRef"))
    if not told:
        listed = ", ".join(f"`{name}`" for name in _SOURCES[:-1])
        yield field.invalid(path, "", f"must specify one of: {listed} or `{_SOURCES[-1]}`")
    if variable.get("value"):
        if told:
            yield field.invalid(path, "", "may not be specified when `value` is not empty")
    elif len(told) > 1:
        yield field.invalid(path, "", "may not have more than one field specified at a time")


def validate_field_ref(ref: Tree, supported: Collection[str], path: Path) -> Errors:
    """A reference to one of the pod's own fields."""
    if not ref.get("apiVersion"):
        yield field.required(path.child("apiVersion"))
        return
    label = ref.get("fieldPath", "")
    if not label:
        yield field.required(path.child("fieldPath"))
        return
    wrong = _cannot_convert(ref["apiVersion"], label)
    if wrong:
        yield field.invalid(path.child("fieldPath"), label, f"error converting fieldPath: {wrong}")
        return
    base, subscript = _split_subscript(label)
    if subscript is not None:
        checked = subscript.lower() if base == "metadata.annotations" else subscript
        yield from complain(path, subscript, names.qualified_name(checked))
    elif base not in supported:
        yield field.not_supported(path.child("fieldPath"), base, sorted(supported))


def _cannot_convert(version: str, label: str) -> str:
    """Why a field label means nothing for pods; empty if it does mean something."""
    if version != "v1":
        return f"unsupported pod version: {version}"
    base, subscript = _split_subscript(label)
    if subscript is not None:
        if base in ("metadata.annotations", "metadata.labels"):
            return ""
        return f"field label does not support subscript: {label}"
    return "" if label in _FIELD_LABELS else f"field label not supported: {label}"


def _split_subscript(label: str) -> tuple[str, str | None]:
    """metadata.labels['a'] -> ("metadata.labels", "a")."""
    base, bracket, rest = label.partition("['")
    if bracket and rest.endswith("']"):
        return base, rest[:-2]
    return label, None


def validate_resource_field_ref(ref: Tree, path: Path, *, volume: bool) -> Errors:
    """A reference to a container's limit or request."""
    resource = ref.get("resource", "")
    if volume and not ref.get("containerName"):
        yield field.required(path.child("containerName"))
    elif not resource:
        yield field.required(path.child("resource"))
    elif resource not in _RESOURCE_FIELDS and not resource.startswith(_HUGE_PAGES):
        yield field.not_supported(path.child("resource"), resource, _RESOURCE_FIELDS)
    yield from _validate_divisor(resource, str(ref.get("divisor", "0")), path.child("divisor"))


def _validate_divisor(resource: str, divisor: str, path: Path) -> Errors:
    name = resource.partition(".")[2]
    if divisor == "0" or (resource not in _RESOURCE_FIELDS and not resource.startswith(_HUGE_PAGES)):
        return
    allowed = _CPU_DIVISORS if name == "cpu" else _MEMORY_DIVISORS
    if divisor not in allowed:
        called = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "local ephemeral storage"}.get(
            name, "hugepages"
        )
        listed = ", ".join(allowed[:-1]) + f" and {allowed[-1]}" if len(allowed) == 2 else ", ".join(allowed)
        yield field.invalid(path, resource, f"only divisor's values {listed} are supported with the {called} resource")


def _validate_file_ref(ref: Tree, path: Path) -> Errors:
    """A key of a file in a volume."""
    yield from require(ref, path, "volumeName", "path", "key")
    if key := ref.get("key"):
        yield from complain(path.child("key"), key, names.env_var_name(key))
    if volume := ref.get("volumeName"):
        yield from complain(path.child("volumeName"), volume, names.dns1123_label(volume))
    if ref.get("path"):
        yield from no_backsteps(ref["path"], path.child("path"))


def _validate_key_ref(ref: Tree, path: Path) -> Errors:
    """A key of a ConfigMap or Secret."""
    name, key = ref.get("name", ""), ref.get("key", "")
    yield from complain(path.child("name"), name, names.dns1123_subdomain(name))
    if not key:
        yield field.required(path.child("key"))
    else:
        yield from complain(path.child("key"), key, names.config_map_key(key))


def validate_env_from(sources: list[Tree], path: Path) -> Errors:
    for index, source in enumerate(sources):
        at = path.index(index)
        prefix = source.get("prefix")
        if prefix:
            yield from complain(at.child("prefix"), prefix, names.env_var_name(prefix))
        told = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in told:
            yield from require(source[name], at.child(name), "name")
            if named := source[name].get("name"):
                yield from complain(at.child(name, "name"), named, names.dns1123_subdomain(named))
        if not told:
            yield field.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(told) > 1:
            yield field.invalid(path, "", "may not have more than one field specified at a time")
