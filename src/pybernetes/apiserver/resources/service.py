"""Services: their addresses and node ports, taken when they are written and given back when they no longer need them."""

from __future__ import annotations

from pybernetes.api import errors, field
from pybernetes.api.field import FieldError, Path
from pybernetes.api.tree import Tree
from pybernetes.apiserver.allocators.addresses import AllocationError, Owner, RangeFullError
from pybernetes.apiserver.allocators.node_ports import ports_of
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.service_families import set_families
from pybernetes.apiserver.resources.service_types import (
    drop_unused,
    has_node_ports,
    is_headless,
    keep_allocated,
    needs_address,
    needs_health_port,
    sync_addresses,
)
from pybernetes.apiserver.resources.strategy import Undo

SPEC = Path("spec")
DRY_RUN_PORT = 32768
"""The node ports that dry runs show begin behind it, out of the range of the real ones (upstream's number)."""


class ServiceStrategy(KindStrategy):
    """See the module."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        sync_addresses(new["spec"], None)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        drop_unused(new["spec"], old["spec"])
        keep_allocated(new["spec"], old["spec"])
        sync_addresses(new["spec"], old["spec"])
        if new["spec"].get("type") != "LoadBalancer" and (new.get("status") or {}).get("loadBalancer"):
            new["status"] = {**new["status"], "loadBalancer": {}}

    async def begin_create(self, ctx: RequestContext, new: Tree, *, dry_run: bool) -> Undo | None:
        return await self._allocate(ctx, new, None, dry_run=dry_run)

    async def begin_update(self, ctx: RequestContext, new: Tree, old: Tree, *, dry_run: bool) -> Undo | None:
        return await self._allocate(ctx, new, old, dry_run=dry_run)

    async def after_create(self, ctx: RequestContext, new: Tree) -> None:
        ctx.services.allocators.node_ports.release(ports_of(new))

    async def after_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        ctx.services.allocators.node_ports.release(ports_of(new))
        for address in set(_addresses(old)) - set(_addresses(new)):
            await ctx.services.allocators.addresses.release(address)

    async def after_delete(self, ctx: RequestContext, old: Tree) -> None:
        for address in _addresses(old):
            await ctx.services.allocators.addresses.release(address)

    async def _allocate(self, ctx: RequestContext, new: Tree, old: Tree | None, *, dry_run: bool) -> Undo:
        """Take what the service needs and does not have yet; what was taken is given back if that fails half way."""
        ctx.must_finish()
        taken = _Taken(ctx, dry_run=dry_run)
        try:
            set_families(new, ctx.services.allocators.addresses.families, old)
            await _take_addresses(taken, new, _addresses(old))
            _take_ports(taken, new, ports_of(old), is_new=old is None)
        except BaseException:
            await taken.give_back()
            raise
        return taken.give_back


class _Taken:
    """What one write has taken so far."""

    def __init__(self, ctx: RequestContext, *, dry_run: bool) -> None:
        self.allocators = ctx.services.allocators
        self.dry_run = dry_run
        self.addresses: list[str] = []
        self.ports: set[int] = set()
        self.shown_port = DRY_RUN_PORT

    def take_port(self, port: int) -> None:
        """Raises AllocationError. A dry run only asks whether somebody has the port."""
        ports = self.allocators.node_ports
        if self.dry_run:
            if ports.is_held(port):
                raise AllocationError("provided port is already allocated")
        else:
            ports.reserve(port)
            self.ports.add(port)

    def take_next_port(self) -> int:
        """Raises AllocationError. A dry run gets a number that nobody could have."""
        if self.dry_run:
            self.shown_port += 1
            return self.shown_port
        port = self.allocators.node_ports.reserve_next()
        self.ports.add(port)
        return port

    async def give_back(self) -> None:
        self.allocators.node_ports.release(self.ports)
        if not self.dry_run:
            for address in self.addresses:
                await self.allocators.addresses.release(address)


def _addresses(service: Tree | None) -> list[str]:
    spec = (service or {}).get("spec") or {}
    listed: list[str] = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [address for address in listed if address not in ("", "None")]


async def _take_addresses(taken: _Taken, service: Tree, held: list[str]) -> None:
    spec = service["spec"]
    if not needs_address(spec):
        return
    if is_headless(spec):
        spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        return
    owner = Owner(service["metadata"].get("namespace", ""), service["metadata"].get("name", ""))
    wanted = _addresses(service)
    asked = list(wanted)
    try:
        for address in wanted:
            if address not in held:
                await taken.allocators.addresses.take(address, owner, dry_run=taken.dry_run)
                taken.addresses.append(address)
        for family in spec["ipFamilies"][len(wanted) :]:
            address = await taken.allocators.addresses.take_next(family, owner, dry_run=taken.dry_run)
            taken.addresses.append(address)
            asked.append(address)
    except RangeFullError as error:
        words = f'failed to allocate a serviceIP for Service "{owner.name}": {error}'
        raise errors.internal(words) from error
    except AllocationError as error:
        shown = wanted + [""] * (len(spec["ipFamilies"]) - len(wanted))
        raise _invalid(service, field.invalid(SPEC.child("clusterIPs"), shown, str(error))) from error
    spec["clusterIP"], spec["clusterIPs"] = asked[0], asked


def _take_ports(taken: _Taken, service: Tree, held: set[int], *, is_new: bool) -> None:
    spec = service["spec"]
    if has_node_ports(spec):
        taker = _NewPorts(taken, spec) if is_new else _ChangedPorts(taken, held)
        for index, entry in enumerate(spec.get("ports") or ()):
            try:
                taker.take(entry)
            except AllocationError as error:
                where = SPEC.child("ports").index(index).child("nodePort")
                raise _invalid(service, field.invalid(where, entry.get("nodePort", 0), str(error))) from error
    if needs_health_port(spec):
        _take_health_port(taken, service, held)


class _NewPorts:
    """Of a new service: what has the same port, by several protocols, has one node port."""

    def __init__(self, taken: _Taken, spec: Tree) -> None:
        self._taken = taken
        ports = reversed(spec.get("ports") or ())
        self._wanted = {entry["port"]: entry["nodePort"] for entry in ports if entry.get("nodePort")}
        self._given: dict[int, int] = {}

    def take(self, entry: Tree) -> None:
        """Raises AllocationError."""
        port, standing = entry["port"], self._given.get(entry["port"])
        if standing is None:
            wanted = self._wanted.get(port)
            entry["nodePort"] = self._given[port] = self._take(wanted) if wanted else self._taken.take_next_port()
        elif not entry.get("nodePort"):
            entry["nodePort"] = standing
        elif entry["nodePort"] != standing:
            self._take(entry["nodePort"])

    def _take(self, wanted: int) -> int:
        if wanted in self._given.values():
            raise AllocationError("provided port is already allocated")
        self._taken.take_port(wanted)
        return wanted


class _ChangedPorts:
    """Of a service that there is: what it holds it keeps."""

    def __init__(self, taken: _Taken, held: set[int]) -> None:
        self._taken = taken
        self._here = set(held)

    def take(self, entry: Tree) -> None:
        """Raises AllocationError."""
        wanted = entry.get("nodePort", 0)
        if not wanted:
            entry["nodePort"] = self._taken.take_next_port()
        elif wanted not in self._here:
            self._taken.take_port(wanted)
            self._here.add(wanted)


def _take_health_port(taken: _Taken, service: Tree, held: set[int]) -> None:
    spec = service["spec"]
    wanted = spec.get("healthCheckNodePort", 0)
    if wanted and wanted in held:
        return
    try:
        if wanted:
            taken.take_port(wanted)
        else:
            wanted = spec["healthCheckNodePort"] = taken.take_next_port()
    except AllocationError as error:
        where = SPEC.child("healthCheckNodePort")
        message = f"failed to allocate requested HealthCheck NodePort {wanted}: {error}"
        raise _invalid(service, field.invalid(where, wanted, message)) from error


def _invalid(service: Tree, wrong: FieldError) -> errors.StatusError:
    return errors.invalid("", "Service", service["metadata"].get("name", ""), [wrong])
