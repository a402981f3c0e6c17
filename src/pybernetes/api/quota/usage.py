"""What one object uses, by the names that quotas limit. Pure."""

from pybernetes.api.quantity import Quantity
from pybernetes.api.quota.amounts import Amounts, add, amounts, pod_amounts
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree

COUNTED_BY_PLURAL = frozenset(
    ("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims")
)
CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
DEVICES_SUFFIX = ".deviceclass.resource.k8s.io/devices"
MOST_DEVICES = 32
"""How many devices a request for all of them may come to."""
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
STANDARD = ("cpu", "memory", "ephemeral-storage")


def usage(resource: Resource, obj: Tree) -> Amounts:
    """Amounts by quota resource name; a finished pod holds nothing but its place among the counted objects."""
    found = _counts(resource)
    if resource.group_resource == "resourceclaims.resource.k8s.io":
        return found | _devices(obj)
    if resource.group:
        return found
    if resource.plural == "pods":
        return _pod(obj) | {name: one for name, one in found.items() if name != "pods"}
    if resource.plural == "services":
        return found | _service(obj)
    if resource.plural == "persistentvolumeclaims":
        return found | _claim(obj)
    return found


def _counts(resource: Resource) -> Amounts:
    names = [f"count/{resource.group_resource}"]
    if not resource.group and resource.plural in COUNTED_BY_PLURAL:
        names.append(resource.plural)
    return {name: _number(1) for name in names}


def _number(value: int) -> Quantity:
    return Quantity.parse(str(value))


def _pod(pod: Tree) -> Amounts:
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return {}
    found = {"pods": _number(1)}
    for name, value in pod_amounts(pod["spec"], "requests").items():
        if name in STANDARD:
            found[name] = value
        if name in STANDARD or "/" in name or name.startswith("hugepages-"):
            found[f"requests.{name}"] = value
        if name.startswith("hugepages-"):
            found[name] = value
    for name, value in pod_amounts(pod["spec"], "limits").items():
        if name in STANDARD:
            found[f"limits.{name}"] = value
    return found


def _service(service: Tree) -> Amounts:
    spec = service["spec"]
    kind = spec.get("type")
    ports = len(spec.get("ports") or ())
    node_ports, balancers = 0, 0
    if kind == "NodePort":
        node_ports = ports
    elif kind == "LoadBalancer":
        balancers = 1
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = sum(1 for port in spec.get("ports") or () if port.get("nodePort"))
        node_ports = ports
    return {"services.nodeports": _number(node_ports), "services.loadbalancers": _number(balancers)}


def _devices(claim: Tree) -> Amounts:
    """Of each class the most that a claim may get: of alternatives, the largest."""
    found: Amounts = {}
    for request in (claim["spec"].get("devices") or {}).get("requests") or ():
        exact = request.get("exactly")
        largest: dict[str, int] = {}
        for one in request.get("firstAvailable") or ([exact] if exact else ()):
            name = f"{one['deviceClassName']}{DEVICES_SUFFIX}"
            number = {"ExactCount": one.get("count") or 0, "All": MOST_DEVICES}.get(one.get("allocationMode", ""), 0)
            largest[name] = max(number, largest.get(name, 0))
        found = add(found, {name: _number(number) for name, number in largest.items()})
    return found


def _claim(claim: Tree) -> Amounts:
    requested = amounts((claim["spec"].get("resources") or {}).get("requests")).get("storage")
    annotations = claim["metadata"].get("annotations") or {}
    storage_class = annotations.get(CLASS_ANNOTATION) or claim["spec"].get("storageClassName") or ""
    found: Amounts = {}
    if requested is not None:
        found["requests.storage"] = requested
    if storage_class:
        found[f"{storage_class}{CLASS_SUFFIX}persistentvolumeclaims"] = _number(1)
        if requested is not None:
            found[f"{storage_class}{CLASS_SUFFIX}requests.storage"] = requested
    return found
