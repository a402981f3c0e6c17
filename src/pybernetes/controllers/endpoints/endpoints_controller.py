"""The Endpoints controller: the older form of the same facts, one object per Service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, ignore_not_found
from pybernetes.controllers.endpoints.backends import (
    HEADLESS_LABEL,
    TRIGGER_TIME,
    Backend,
    Port,
    backends_of,
    families_of,
    is_headless,
    is_managed,
    reference_to,
    trigger_time,
)  # fmt: skip
from pybernetes.controllers.endpoints.services import ServiceController

MAX_ADDRESSES = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"


class EndpointsController(ServiceController):
    """Keeps the Endpoints object of each Service with a selector equal to its pods."""

    name = "endpoints-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context, MANAGER)
        self.endpoints = context.informers.of(core_v1.Endpoints)
        self.endpoints.subscribe(self.enqueue_change)

    async def reconcile(self, key: Key) -> None:
        service = self.service(key)
        current = self.endpoints.get(key[1], key[0])
        if service is None:
            # Endpoints that nobody labelled as ours may be hand-made: they stay.
            if current is not None and current.metadata.labels.get(MANAGED_BY_LABEL) == MANAGER:
                await ignore_not_found(
                    self.client.delete(core_v1.Endpoints, key[1], key[0], uid=current.metadata.uid or "")
                )
            return
        if not is_managed(service) or service.metadata.deletion_timestamp is not None:
            return
        backends = backends_of(service, self.pods_of(service), families_of(service)[0])
        wanted = endpoints_of(service, backends, current)
        if wanted is not None:
            await self._write(service, wanted, is_new=current is None)

    async def _write(self, service: core_v1.Service, wanted: core_v1.Endpoints, *, is_new: bool) -> None:
        try:
            stored = await (self.client.create(wanted) if is_new else self.client.update(wanted))
        except errors.StatusError as error:
            if errors.is_namespace_terminating(error):
                return
            if errors.is_forbidden(error):
                verb = "create" if is_new else "update"
                reason, name = (
                    f"FailedTo{verb.capitalize()}Endpoint",
                    f"{service.metadata.namespace}/{service.metadata.name}",
                )
                self.recorder.event(wanted, "Warning", reason, f"Failed to {verb} endpoint {name}: {error.message}")
            raise
        self.endpoints.assume(stored)


def endpoints_of(
    service: core_v1.Service, backends: Sequence[Backend], current: core_v1.Endpoints | None
) -> core_v1.Endpoints | None:
    """The object as it should be; None if `current` is that already."""
    kept = [found for found in backends if not found.terminating or service.spec.publish_not_ready_addresses]
    subsets = _subsets(_within_capacity(kept))
    labels = {**service.metadata.labels, MANAGED_BY_LABEL: MANAGER}
    labels.pop(HEADLESS_LABEL, None)
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    before = current.metadata if current is not None else meta_v1.ObjectMeta(
        name=service.metadata.name, namespace=service.metadata.namespace
    )  # fmt: skip
    truncated = len(kept) > MAX_ADDRESSES
    same = current is not None and current.subsets == subsets and before.labels == labels
    if same and (OVER_CAPACITY in before.annotations) == truncated:
        return None
    annotations = {key: text for key, text in before.annotations.items() if key not in (TRIGGER_TIME, OVER_CAPACITY)}
    if trigger := trigger_time(service, (found.pod for found in backends)):
        annotations[TRIGGER_TIME] = trigger
    if truncated:
        annotations[OVER_CAPACITY] = "truncated"
    metadata = msgspec.structs.replace(before, labels=labels, annotations=annotations)
    return core_v1.Endpoints(metadata=metadata, subsets=subsets)


def _within_capacity(backends: Sequence[Backend]) -> Sequence[Backend]:
    """At most a thousand addresses, ready ones first."""
    if len(backends) <= MAX_ADDRESSES:
        return backends
    return sorted(backends, key=lambda found: not found.ready)[:MAX_ADDRESSES]


def _subsets(backends: Iterable[Backend]) -> list[core_v1.EndpointSubset]:
    """Backends grouped by the ports that they offer, in a stable order."""
    groups: dict[tuple[Port, ...], list[Backend]] = {}
    for backend in backends:
        groups.setdefault(tuple(sorted(backend.ports, key=lambda port: (port.name, port.number))), []).append(backend)
    return [_subset(ports, groups[ports]) for ports in sorted(groups, key=str)]


def _subset(ports: Sequence[Port], backends: Sequence[Backend]) -> core_v1.EndpointSubset:
    ordered = sorted(backends, key=lambda found: found.address)
    return core_v1.EndpointSubset(
        addresses=[_address(found) for found in ordered if found.ready],
        not_ready_addresses=[_address(found) for found in ordered if not found.ready],
        ports=[
            core_v1.EndpointPort(
                name=port.name or None, port=port.number, protocol=port.protocol, app_protocol=port.app_protocol
            )
            for port in ports
        ],
    )


def _address(backend: Backend) -> core_v1.EndpointAddress:
    return core_v1.EndpointAddress(
        ip=backend.address,
        node_name=backend.pod.spec.node_name,
        hostname=backend.hostname,
        target_ref=reference_to(backend.pod),
    )
