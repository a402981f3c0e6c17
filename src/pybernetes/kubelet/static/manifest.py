"""A manifest as a pod of this node. Pure."""

import hashlib
from typing import Any

import msgspec

from pybernetes.api.defaults import apply_defaults
from pybernetes.api.scheme import resource_for
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.kubelet import names

NO_EXECUTE: dict[str, str] = {"operator": "Exists", "effect": "NoExecute"}


class ManifestError(ValueError):
    """The file holds no pod."""


def pod_of(text: str, node_name: str) -> v1.Pod:
    """Named after the node, with a uid that changes with the content. Raises ManifestError."""
    import yaml  # most nodes have no manifests

    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ManifestError(str(error)) from error
    if not isinstance(tree, dict) or tree.get("kind") != "Pod" or tree.get("apiVersion") != "v1":
        raise ManifestError("expected a Pod of apiVersion v1")
    digest = hashlib.md5(f"{node_name}\0{text}".encode(), usedforsecurity=False).hexdigest()
    _complete(tree, node_name, digest)
    apply_defaults(resource_for(v1.Pod), tree)
    try:
        return msgspec.json.decode(msgspec.json.encode(tree), type=v1.Pod)
    except msgspec.ValidationError as error:
        raise ManifestError(str(error)) from error


def _complete(tree: dict[str, Any], node_name: str, digest: str) -> None:
    meta = tree.setdefault("metadata", {})
    if not meta.get("name"):
        raise ManifestError("the pod has no name")
    meta["name"] = f"{meta['name']}-{node_name}"
    meta.setdefault("namespace", "default")
    meta["uid"] = digest
    annotations = meta.setdefault("annotations", {})
    annotations |= {names.CONFIG_HASH: digest, names.CONFIG_SOURCE: "file"}
    spec = tree.setdefault("spec", {})
    spec["nodeName"] = node_name
    spec.setdefault("tolerations", []).append(dict(NO_EXECUTE))


def mirror_of(pod: v1.Pod, node: v1.Node) -> v1.Pod:
    """What the API shows of a static pod; it goes with the node."""
    meta = pod.metadata
    annotations = meta.annotations | {names.CONFIG_MIRROR: meta.annotations[names.CONFIG_HASH]}
    owner = meta_v1.OwnerReference(
        api_version="v1", kind="Node", name=node.metadata.name or "", uid=node.metadata.uid or "", controller=True
    )
    return v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            labels=meta.labels,
            annotations=annotations,
            owner_references=[owner],
        ),
        spec=pod.spec,
    )
