"""The names that users of simulated nodes meet."""

from typing import Final

GROUP: Final = "simulated.pybernetes.io"
NODE_LABEL: Final = f"{GROUP}/node"
"""On each simulated node: whatever Node carries it is kept alive by the simulator, whoever made it."""

TAINT: Final = f"{GROUP}/node"
"""On simulated nodes beside real ones, so that nothing lands there that does not tolerate it."""

METRICS_PATH: Final = "metrics.k8s.io/resource-metrics-path"
"""metrics-server's annotation for nodes whose metrics are elsewhere than at /metrics/resource."""

ADDRESSES: Final = "240.0.0.0/6"
"""All that simulated nodes, pods and services have."""

POD_RANGE: Final = "240.0.0.0/8"
NODE_RANGE: Final = "241.0.0.0/8"
"""Reserved addresses (RFC 1112, section 4): nothing can be reached there, so that nothing is reached by mistake."""

LOAD_BALANCER_RANGE: Final = "242.0.0.0/24"

PODS_PER_RANGE: Final = 250
"""A node's part of the pod range is a /24."""


def annotation(part: str) -> str:
    return f"{GROUP}/{part}"
