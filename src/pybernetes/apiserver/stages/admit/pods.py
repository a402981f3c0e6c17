"""Walking the containers and volumes of a pod's tree."""

from collections.abc import Iterator

from pybernetes.api.tree import Tree

MIRROR = "kubernetes.io/config.mirror"
KINDS = ("initContainers", "containers", "ephemeralContainers")


def containers(spec: Tree, *kinds: str) -> Iterator[Tree]:
    """The containers of a pod's spec: of these kinds, or of all, in the order in which they run."""
    for kind in kinds or KINDS:
        yield from spec.get(kind) or ()


def is_mirror(pod: Tree) -> bool:
    """Whether the pod stands for a static one that a kubelet runs on its own."""
    return MIRROR in (pod["metadata"].get("annotations") or {})
