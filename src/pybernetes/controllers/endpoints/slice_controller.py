"""The EndpointSlice controller."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import errors
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.endpoints.backends import (
    Port,
    backends_of,
    endpoint_of,
    families_of,
    is_managed,
    trigger_time,
)  # fmt: skip
from pybernetes.controllers.endpoints.hints import (
    Unshared,
    is_shared_out,
    own_hints,
    place_of,
    shared_out,
    shares_of,
    uses_hints,
)  # fmt: skip
from pybernetes.controllers.endpoints.services import ServiceController
from pybernetes.controllers.endpoints.slices import (
    MANAGED_BY_LABEL,
    MANAGER,
    SERVICE_LABEL,
    Group,
    Slice,
    SlicePlan,
    blank_slice,
    plan_slices,
)  # fmt: skip

SERVICE_INDEX = "service"


def service_key(found: Slice) -> list[str]:
    """An index function: the Service that a slice belongs to, as "namespace/name"."""
    name = found.metadata.labels.get(SERVICE_LABEL)
    return [f"{found.metadata.namespace}/{name}"] if name else []


class EndpointSliceController(ServiceController):
    """Keeps the slices of each Service with a selector equal to its pods."""

    name = "endpointslice-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context, "endpoint-slice-controller")
        self.nodes = context.informers.of(core_v1.Node)
        self.slices = context.informers.of(discovery_v1.EndpointSlice)
        self.slices.add_index(SERVICE_INDEX, service_key)
        self.slices.subscribe(self._on_slice)
        self.nodes.subscribe(self._on_node)

    def _on_node(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        """Where nodes are, and what they have, is in the hints of services that use them."""
        if old is not None and new is not None and place_of(old) == place_of(new):
            return
        for service in self.services.list():
            if uses_hints(service):
                self.enqueue(service)

    def _on_slice(self, old: Slice | None, new: Slice | None) -> None:
        """A slice that somebody changed or deleted is put right."""
        found = new or old
        if found is not None and found.metadata.labels.get(MANAGED_BY_LABEL) == MANAGER:
            self.queue.add((found.metadata.namespace or "", found.metadata.labels.get(SERVICE_LABEL, "")))

    async def reconcile(self, key: Key) -> None:
        service = self.service(key)
        existing = [
            found
            for found in self.slices.by_index(SERVICE_INDEX, f"{key[0]}/{key[1]}")
            if found.metadata.labels.get(MANAGED_BY_LABEL) == MANAGER and found.metadata.deletion_timestamp is None
        ]
        # The slices of a Service that is gone are the garbage collector's.
        if service is None or service.metadata.deletion_timestamp is not None:
            return
        if not is_managed(service):
            await self._write(service, SlicePlan(delete=existing))
            return
        families = families_of(service)
        for family in families:
            of_family = [found for found in existing if found.address_type == family]
            await self._write(service, self._plan(service, family, of_family))
        strays = [found for found in existing if found.address_type not in families]
        await self._write(service, SlicePlan(delete=strays))

    def _plan(self, service: core_v1.Service, family: str, existing: Sequence[Slice]) -> SlicePlan:
        backends = backends_of(service, self.pods_of(service), family)
        nodes = {name: node for backend in backends if (name := backend.pod.spec.node_name) and (node := self.nodes.get(name))}  # fmt: skip
        endpoints = [endpoint_of(backend, nodes) for backend in backends]
        if uses_hints(service):
            endpoints = self._hinted(service, family, endpoints, existing)
        groups: dict[tuple[Port, ...], list[discovery_v1.Endpoint]] = {}
        for backend, endpoint in zip(backends, endpoints, strict=True):
            groups.setdefault(backend.ports, []).append(endpoint)
        blank = blank_slice(service, family, MANAGER, trigger_time(service, (backend.pod for backend in backends)))
        return plan_slices(blank, existing, [Group(ports, found) for ports, found in groups.items()])

    def _hinted(
        self, service: core_v1.Service, family: str, endpoints: Sequence[discovery_v1.Endpoint], existing: Sequence[Slice]
    ) -> list[discovery_v1.Endpoint]:  # fmt: skip
        if not is_shared_out(service):
            return [own_hints(endpoint, service.spec.traffic_distribution) for endpoint in endpoints]
        had = any(endpoint.hints is not None for found in existing for endpoint in found.endpoints)
        try:
            made = shared_out(endpoints, shares_of(self.nodes.list()))
        except Unshared as error:
            self.recorder.event(service, "Warning", "TopologyAwareHintsDisabled", f"{error}, addressType: {family}")
            return list(endpoints)
        if not had:
            message = f"Topology Aware Hints has been enabled, addressType: {family}"
            self.recorder.event(service, "Normal", "TopologyAwareHintsEnabled", message)
        return made

    async def _write(self, service: core_v1.Service, plan: SlicePlan) -> None:
        try:
            await write_slices(self, plan)
        except errors.StatusError as error:
            if errors.is_namespace_terminating(error):
                return
            if not errors.is_conflict(error):
                message = f"Error updating Endpoint Slices for Service {service.metadata.namespace}/{service.metadata.name}: {error.message}"
                self.recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", message)
            raise


async def write_slices(controller: KeyedController, plan: SlicePlan) -> None:
    """Carry a plan out; the informer has the results before this returns."""
    client, informer = controller.client, controller.context.informers.of(discovery_v1.EndpointSlice)
    for made in plan.create:
        informer.assume(await client.create(made))
    for changed in plan.update:
        informer.assume(await client.update(changed))
    for gone in plan.delete:
        meta = gone.metadata
        call = client.delete(Slice, meta.name or "", meta.namespace or "", uid=meta.uid or "")
        await ignore_not_found(call)
