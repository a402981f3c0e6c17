"""Pods and what they are made of, wherever a pod's spec stands."""

from __future__ import annotations

import re

from pybernetes.api.caching import short_cache
from pybernetes.api.defaults.amounts import pod_level_requests, requests_from_limits
from pybernetes.api.defaults.table import Default, fields, set_absent, set_empty
from pybernetes.api.tree import Tree
from pybernetes.wire.images.reference import InvalidReferenceError, parse

_DIGEST = re.compile(r"@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$")
_CONTAINER_LISTS = ("containers", "initContainers")


def _pod(pod: Tree) -> None:
    spec = pod["spec"]
    set_absent(spec, "enableServiceLinks", True)
    for container in _containers(spec):
        requests_from_limits(container.get("resources"))
    pod_level_requests(spec)
    if spec.get("hostNetwork"):
        for container in _containers(spec):
            for port in container.get("ports") or ():
                set_empty(port, "hostPort", port["containerPort"])


def _pod_status(status: Tree) -> None:
    """One field for one address, a later one for several: the first address is told in both."""
    one, several = status.get("podIP"), status.get("podIPs")
    if one and (not several or several[0].get("ip") != one):
        status["podIPs"] = [{"ip": one}]
    elif several and not one and several[0].get("ip"):
        status["podIP"] = several[0]["ip"]


def _containers(spec: Tree) -> list[Tree]:
    return [container for name in _CONTAINER_LISTS for container in spec.get(name) or ()]


def _pod_spec(spec: Tree) -> None:
    set_empty(spec, "dnsPolicy", "ClusterFirst")
    set_empty(spec, "restartPolicy", "Always")
    set_absent(spec, "securityContext", {})
    set_absent(spec, "terminationGracePeriodSeconds", 30)
    set_empty(spec, "schedulerName", "default-scheduler")
    # Two names of one field: the old one is always told too.
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def _container(container: Tree) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = _pull_policy(container.get("image", ""))
    set_empty(container, "terminationMessagePath", "/dev/termination-log")
    set_empty(container, "terminationMessagePolicy", "File")


def _image_volume(source: Tree) -> None:
    set_empty(source, "pullPolicy", _pull_policy(source.get("reference", "")))


@short_cache(1024)
def _pull_policy(image: str) -> str:
    """By the tag, which is "latest" where there is neither a tag nor a digest; what is no image's name has none."""
    if _DIGEST.search(image):
        return "IfNotPresent"
    last = image.rpartition("/")[2]
    is_latest = (last.partition(":")[2] or "latest") == "latest"
    return "Always" if is_latest and _is_name(image) else "IfNotPresent"


def _is_name(image: str) -> bool:
    try:
        parse(image)
    except InvalidReferenceError:
        return False
    return True


def _probe(probe: Tree) -> None:
    set_empty(probe, "timeoutSeconds", 1)
    set_empty(probe, "periodSeconds", 10)
    set_empty(probe, "successThreshold", 1)
    set_empty(probe, "failureThreshold", 3)


def _http_get(action: Tree) -> None:
    set_empty(action, "path", "/")
    set_empty(action, "scheme", "HTTP")


def _grpc(action: Tree) -> None:
    set_empty(action, "service", "")


DEFAULTS: dict[str, Default] = {
    "core.v1.Pod": _pod,
    "core.v1.PodSpec": _pod_spec,
    "core.v1.PodStatus": _pod_status,
    "core.v1.Container": _container,
    "core.v1.EphemeralContainer": _container,
    "core.v1.ImageVolumeSource": _image_volume,
    "core.v1.Probe": _probe,
    "core.v1.HTTPGetAction": _http_get,
    "core.v1.GRPCAction": _grpc,
    "core.v1.ObjectFieldSelector": fields(apiVersion="v1"),
}
