"""What the parts of one API server share; made once in `main.run` and passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.telemetry.metrics import Registry as Metrics

if TYPE_CHECKING:
    from pybernetes.apiserver.admission import Admission
    from pybernetes.apiserver.allocators.allocators import Allocators
    from pybernetes.apiserver.kubelets.kubelets import Kubelets
    from pybernetes.apiserver.options import Options
    from pybernetes.apiserver.registry.registry import Registry
    from pybernetes.apiserver.stages.security import Security


class Services(Struct):
    """`registry` serves the objects, `scope` owns background tasks for the life of the server.

    `security` answers who asks and what they may, `allocators` hand out service addresses and node ports,
    `kubelets` are the way to the nodes.
    """

    options: Options
    clock: Clock
    scope: Scope
    metrics: Metrics
    registry: Registry
    admission: Admission
    security: Security
    allocators: Allocators
    kubelets: Kubelets
