"""A driver of devices for tests: v1.DRAPlugin on our own server, which does as it is told."""

import asyncio

from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.grpc.server import Streaming, Unary
from pybernetes.kubelet.dra import messages as m
from pybernetes.kubelet.plugins.handler import Plugin


class FakeDriver:
    """`prepared` and `given_up` have the claims' UIDs, in order; `errors` are told one after the other first."""

    def __init__(self, path, name="gpu.example.com", service="v1.DRAPlugin"):
        self.path, self.name, self.service = path, name, service
        self.prepared, self.given_up, self.errors = [], [], []
        self.busy = 0
        self.most_busy = 0
        self.health: asyncio.Queue[m.NodeWatchResourcesResponse] = asyncio.Queue()

    @property
    def plugin(self):
        return Plugin(self.name, self.path, (self.service,), self.path)

    def serve(self):
        return listening(self.path, self.methods)

    def methods(self):
        package = f"/k8s.io.kubelet.pkg.apis.dra.{self.service}"
        return {
            f"{package}/NodePrepareResources": Unary(m.ClaimsRequest, self.prepare),
            f"{package}/NodeUnprepareResources": Unary(m.ClaimsRequest, self.unprepare),
            "/v1alpha1.DRAResourceHealth/NodeWatchResources": Streaming(m.NodeWatchResourcesRequest, self.watch),
        }

    async def prepare(self, request):
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        error = self.errors.pop(0) if self.errors else ""
        answers = {}
        for claim in request.claims:
            self.prepared.append(claim.uid)
            device = m.Device(
                request_names=["r"], pool_name="pool", device_name=f"dev-{claim.name}",
                cdi_device_ids=[f"example.com/gpu={claim.name}"],
            )  # fmt: skip
            answers[claim.uid] = m.PreparedClaim(error=error) if error else m.PreparedClaim(devices=[device])
        return m.NodePrepareResourcesResponse(claims=answers)

    async def unprepare(self, request):
        error = self.errors.pop(0) if self.errors else ""
        self.given_up += [claim.uid for claim in request.claims]
        answers = {claim.uid: m.UnpreparedClaim(error=error) for claim in request.claims}
        return m.NodeUnprepareResourcesResponse(claims=answers)

    async def watch(self, request):
        while True:
            yield await self.health.get()
