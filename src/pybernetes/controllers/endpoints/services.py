"""What the two endpoint controllers have in common: their keys are Services, woken by the pods that they select."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.endpoints.backends import selects, shape_of


class ServiceController(KeyedController):
    """Subclasses add the informer of what they write, and `reconcile`."""

    workers = 5

    def __init__(self, context: Context, component: str) -> None:
        super().__init__(context)
        self.services = context.informers.of(core_v1.Service)
        self.pods = context.informers.of(core_v1.Pod)
        self.recorder = context.recorder(component)
        self.services.subscribe(self.enqueue_change)
        self.pods.subscribe(self._on_pod)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """A pod whose labels changed concerns the Services that selected it before, too."""
        pods = [pod for pod in (old, new) if pod is not None]
        services = self.services.list(pods[0].metadata.namespace or "")
        if not services or (len(pods) == 2 and shape_of(pods[0]) == shape_of(pods[1])):
            return
        for service in services:
            if any(selects(service, pod.metadata.labels) for pod in pods):
                self.enqueue(service)

    def pods_of(self, service: core_v1.Service) -> list[core_v1.Pod]:
        """The pods that the Service selects."""
        found = self.pods.list(service.metadata.namespace or "")
        return [pod for pod in found if selects(service, pod.metadata.labels)]

    def service(self, key: Key) -> core_v1.Service | None:
        return self.services.get(key[1], key[0])
