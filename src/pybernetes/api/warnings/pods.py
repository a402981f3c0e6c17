"""Warnings about pods and the templates of pods."""

from __future__ import annotations

from typing import Any, Final

from pybernetes.api.contents import by_content
from pybernetes.api.field import Path, quote
from pybernetes.api.names import dns1123_label
from pybernetes.api.tree import Tree
from pybernetes.api.warnings.common import Texts, claim_spec, fractional_bytes, ip_text, node_selector_term, old_label

_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")
_WHOLE_BYTES: Final = ("memory", "ephemeral-storage")
_OLD_VOLUMES: Final = {
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "gitRepo": ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_NO_POD: Final = "a null labelSelector results in matching no pod"


def name_texts(name: str, used_in: str) -> Texts:
    """A name that is legal for the object and makes no host name."""
    wrong = dns1123_label(name)
    if wrong:
        yield (
            f"metadata.name: this is used in {used_in}, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(wrong)}]"
        )


def pod_texts(spec: Tree, path: Path) -> Texts:
    """The warnings about a pod spec. Nearly all specs have none, and many pods have one spec."""
    if not _is_plain(spec):
        yield from _texts(spec, path)


@by_content
def _is_plain(spec: Tree) -> bool:
    return next(_texts(spec, Path("spec")), None) is None


def _texts(spec: Tree, path: Path) -> Texts:
    for label in spec.get("nodeSelector") or ():
        if old := old_label(label):
            yield f"{path.child('nodeSelector').key(label)}: {old}"
    yield from _scheduling(spec, path)
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _volume(volume, path.child("volumes").index(index))
    yield from _overlaps(spec.get("volumes") or [])
    yield from _repeated(spec, path)
    for resource in _WHOLE_BYTES:
        yield from fractional_bytes(spec.get("overhead") or {}, resource, path.child("overhead"))
    for at, container in _all_containers(spec, path):
        yield from _container(container, at)
    yield from _ports(spec, path)
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        at = path.child("terminationGracePeriodSeconds")
        yield f"{at}: must be >= 0; negative values are invalid and will be treated as 1"
    yield from _pod_affinity(spec.get("affinity") or {}, path.child("affinity"))
    for index, server in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        yield from ip_text(path.child("dnsConfig", "nameservers").index(index), server)
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        yield from ip_text(path.child("hostAliases").index(index).child("ip"), alias.get("ip", ""))


def _all_containers(spec: Tree, path: Path) -> list[tuple[Path, Tree]]:
    return [
        (path.child(kind).index(index), one) for kind in _CONTAINERS for index, one in enumerate(spec.get(kind) or ())
    ]


def _scheduling(spec: Tree, path: Path) -> Texts:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    at = path.child("affinity", "nodeAffinity")
    for index, term in enumerate((affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()):
        yield from node_selector_term(term, at.child(_REQUIRED, "nodeSelectorTerms").index(index))
    for index, term in enumerate(affinity.get(_PREFERRED) or ()):
        below = at.child(_PREFERRED).index(index).child("preference")
        yield from node_selector_term(term.get("preference") or {}, below, values=True)
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        at = path.child("topologySpreadConstraints").index(index)
        key = constraint.get("topologyKey", "")
        if old := old_label(key):
            yield f"{at.child('topologyKey')}: {key} is {old}"
        if constraint.get("labelSelector") is None:
            yield f"{at.child('labelSelector')}: {_NO_POD}"


def _pod_affinity(affinity: Tree, path: Path) -> Texts:
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        for index, term in enumerate(terms.get(_REQUIRED) or ()):
            if term.get("labelSelector") is None:
                yield f"{path.child(kind, _REQUIRED).index(index).child('labelSelector')}: {_NO_POD}"
        for index, weighted in enumerate(terms.get(_PREFERRED) or ()):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                at = path.child(kind, _PREFERRED).index(index).child("podAffinityTerm", "labelSelector")
                yield f"{at}: {_NO_POD}"


def _volume(volume: Tree, path: Path) -> Texts:
    for name, (shown, words) in _OLD_VOLUMES.items():
        if volume.get(name) is not None:
            yield f"{path.child(shown)}: {words}"
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if template is not None:
        yield from claim_spec(template.get("spec") or {}, path.child("ephemeral", "volumeClaimTemplate", "spec"))


def _overlaps(volumes: list[Tree]) -> Texts:
    """Files of one volume that are written over one another."""
    for volume in volumes:
        for key, told, named in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
            if (source := volume.get(key)) is not None:
                shown = f"{told} {quote(source.get(named, ''))}"
                yield from _clashes(volume, shown, [(item["path"], "") for item in source.get("items") or ()])
        if (source := volume.get("downwardAPI")) is not None:
            yield from _clashes(volume, "DownwardAPI", [(item["path"], "") for item in source.get("items") or ()])
        projected = volume.get("projected")
        if projected is not None:
            files: list[tuple[str, str]] = []
            for source in projected.get("sources") or ():
                if not source:
                    yield f"volume {quote(volume['name'])} (Projected) has no sources provided"
                files += _projected_files(source)
            yield from _clashes(volume, "Projected", files)


def _projected_files(source: Tree) -> list[tuple[str, str]]:
    for key, told in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if (source.get(key) or {}).get("items"):
            shown = f"{told} {quote(source[key].get('name', ''))}"
            return [(item["path"], shown) for item in source[key]["items"]]
    if (source.get("downwardAPI") or {}).get("items"):
        return [(item["path"], "DownwardAPI") for item in source["downwardAPI"]["items"]]
    if source.get("serviceAccountToken") is not None:
        return [(source["serviceAccountToken"].get("path", ""), "ServiceAccountToken")]
    if (bundle := source.get("clusterTrustBundle")) is not None:
        return [
            (
                bundle.get("path", ""),
                f"ClusterTrustBundle {quote(bundle.get('name') or bundle.get('signerName') or '')}",
            )
        ]
    return []


def _clashes(volume: Tree, shown: str, files: list[tuple[str, str]]) -> Texts:
    def told(file: tuple[str, str]) -> str:
        return f"{quote(file[0])} ({file[1]})" if file[1] else quote(file[0])

    files = [(path.rstrip("/"), source) for path, source in files]
    for index, (path, source) in enumerate(files):
        for earlier in files[:index]:
            if path == earlier[0] or path.startswith(earlier[0] + "/") or earlier[0].startswith(path + "/"):
                clash = f"{told((path, source))} with {told(earlier)}"
                yield f"volume {quote(volume['name'])} ({shown}): overlapping paths: {clash}"


def _repeated(spec: Tree, path: Path) -> Texts:
    for kind, key, word in (("hostAliases", "ip", "ip"), ("imagePullSecrets", "name", "name")):
        taken: set[str] = set()
        for index, one in enumerate(spec.get(kind) or ()):
            value = one.get(key, "")
            if value in taken:
                yield f"{path.child(kind).index(index).child(key)}: duplicate {word} {quote(value)}"
            taken.add(value)
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            yield f"{path.child('imagePullSecrets').index(index).child('name')}: invalid empty name {quote('')}"


def _container(container: Tree, path: Path) -> Texts:
    for resource in _WHOLE_BYTES:
        for kind in ("limits", "requests"):
            amounts = (container.get("resources") or {}).get(kind) or {}
            yield from fractional_bytes(amounts, resource, path.child("resources", kind))
    taken: set[str] = set()
    for index, variable in enumerate(container.get("env") or ()):
        name = variable["name"]
        reference = f"$({name})"
        value = variable.get("value", "")
        is_lost = variable.get("valueFrom") is not None or value == reference or reference not in value
        if name in taken and is_lost:
            at = path.child("env").index(index)
            yield f"{at}: hides previous definition of {quote(name)}, which may be dropped when using apply"
        taken.add(name)


def _ports(spec: Tree, path: Path) -> Texts:
    """Ports of all containers together, since they share their addresses."""
    ports = [
        (at.child("ports").index(index), port)
        for at, container in _all_containers(spec, path)
        for index, port in enumerate(container.get("ports") or ())
    ]
    seen: dict[tuple[int, str], list[tuple[Path, Tree]]] = {}
    for at, port in ports:
        host_port, host_ip = port.get("hostPort", 0), port.get("hostIP", "")
        if host_ip and not host_port:
            yield f"{at}: hostIP set without hostPort: {_go_port(port)}"
        others = seen.setdefault((port["containerPort"], port.get("protocol", "")), [])
        for other_at, other in others:
            other_port, other_ip = other.get("hostPort", 0), other.get("hostIP", "")
            if (host_ip, host_port) == (other_ip, other_port):
                yield f"{at}: duplicate port definition with {other_at}"
            elif not host_port or not other_port:
                yield f"{at}: overlapping port definition with {other_at}"
            elif host_port == other_port and bool(host_ip) != bool(other_ip):
                yield f"{at}: dangerously ambiguous port definition with {other_at}"
        others.append((at, port))
    named: dict[str, Path] = {}
    for at, port in ports:
        name = port.get("name", "")
        if name and name in named:
            first = named[name]
            yield (
                f"{at}: duplicate port name {quote(name)} with {first}, "
                f"services and probes that select ports by name will use {first}"
            )
        elif name:
            named[name] = at


def _go_port(port: dict[str, Any]) -> str:
    """As Go prints the struct."""
    return (
        f"{{Name:{port.get('name', '')} HostPort:{port.get('hostPort', 0)} ContainerPort:{port['containerPort']} "
        f"Protocol:{port.get('protocol', '')} HostIP:{port.get('hostIP', '')}}}"
    )
