"""The downward API: fields and resources of a pod as text, for environment variables and files."""

import re
from collections.abc import Mapping

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import AnyContainer, container_of

_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


class FieldError(Exception):
    """A reference to a field that cannot be told; the message goes to the container's status."""


def field_value(pod: v1.Pod, path: str) -> str:
    """The value of a fieldRef. Raises FieldError for paths that the API does not offer."""
    meta = pod.metadata
    if match := _KEYED.fullmatch(path):
        return (meta.labels if match[1] == "labels" else meta.annotations).get(match[2], "")
    match path:
        case "metadata.name":
            return meta.name or ""
        case "metadata.namespace":
            return meta.namespace or ""
        case "metadata.uid":
            return meta.uid or ""
        case "metadata.labels":
            return _format_map(meta.labels)
        case "metadata.annotations":
            return _format_map(meta.annotations)
        case "spec.nodeName":
            return pod.spec.node_name or ""
        case "spec.serviceAccountName":
            return pod.spec.service_account_name or ""
        case "status.hostIP":
            return pod.status.host_ip or ""
        case "status.hostIPs":
            return ",".join(entry.ip for entry in pod.status.host_ips)
        case "status.podIP":
            return pod.status.pod_ip or ""
        case "status.podIPs":
            return ",".join(entry.ip for entry in pod.status.pod_ips)
    raise FieldError(f"unsupported fieldPath: {path}")


def _format_map(items: Mapping[str, str]) -> str:
    """One `key="value"` per line, sorted, the value quoted as Go quotes."""
    return "\n".join(f"{key}={quote(value)}" for key, value in sorted(items.items()))


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}  # fmt: skip


def quote(text: str) -> str:
    """A Go string literal."""
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else f"\\u{ord(c):04x}") for c in text) + '"'


def resource_value(
    pod: v1.Pod,
    container: AnyContainer,
    selector: v1.ResourceFieldSelector,
    allocatable: Mapping[str, str | int | float],
) -> str:
    """The value of a resourceFieldRef in units of its divisor, rounded up.

    A limit that is not set is the pod's (KEP-2837), else the node's allocatable.

    Raises FieldError.
    """
    if selector.container_name:
        found = container_of(pod, selector.container_name)
        if found is None:
            raise FieldError(f"container {selector.container_name} not found")
        container = found
    kind, _, name = selector.resource.partition(".")
    if kind not in ("limits", "requests") or not name:
        raise FieldError(f"unsupported container resource : {selector.resource}")
    resources = container.resources or v1.ResourceRequirements()
    given = resources.limits if kind == "limits" else resources.requests
    if kind == "limits" and name in ("cpu", "memory", "ephemeral-storage") and not Quantity.parse(given.get(name, 0)):
        whole = pod.spec.resources.limits if pod.spec.resources is not None and name != "ephemeral-storage" else {}
        given = {**allocatable, **whole}
    amount = Quantity.parse(given.get(name, 0))
    divisor = Quantity.parse(selector.divisor or 1) or Quantity.parse(1)
    return _divide(amount, divisor, name)


def _divide(amount: Quantity, divisor: Quantity, name: str) -> str:
    """CPU counts in thousandths, everything else in whole units; both rounded up."""
    if name == "cpu":
        return str(-(-amount.milli_value // divisor.milli_value))
    return str(-(-amount.value // max(1, divisor.value)))
