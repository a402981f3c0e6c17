"""What every agent and the manager build when they first need it, built once in the process that forks them.

Imported before the manager is forked, and so before the agents of further nodes: the pages stay shared, 5 MB of each of
them. The first agent is on its way by then; a start is no later for it.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - loaded by the first look-up of a host
import ssl

from pybernetes.api.types import coordination_v1, core_v1, discovery_v1, networking_v1, node_v1
from pybernetes.client.codec import typed_codec

for kind in (
    core_v1.Pod,
    core_v1.Node,
    core_v1.Service,
    core_v1.Namespace,
    core_v1.ConfigMap,
    core_v1.Secret,
    core_v1.Event,
    coordination_v1.Lease,
    discovery_v1.EndpointSlice,
    networking_v1.NetworkPolicy,
    node_v1.RuntimeClass,
):
    typed_codec(kind)
ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
