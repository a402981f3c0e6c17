"""ImageLocality: nodes that have the pod's images already are a little better."""

from __future__ import annotations

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import MAX_SCORE
from pybernetes.scheduler.pod import PodInfo

MIN_BYTES = 23 * 1024 * 1024
MAX_BYTES_PER_CONTAINER = 1000 * 1024 * 1024


def present(pod: PodInfo, node: NodeState) -> float:
    if not node.images:
        return 0.0
    size = sum(node.images.get(normal(container.image or ""), 0) for container in pod.spec.containers)
    most = MAX_BYTES_PER_CONTAINER * len(pod.spec.containers)
    return MAX_SCORE * (min(max(size, MIN_BYTES), most) - MIN_BYTES) / (most - MIN_BYTES)


def normal(image: str) -> str:
    """The name as nodes report it: with a tag."""
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
