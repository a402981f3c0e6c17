"""ComponentStatuses: how the control plane's other parts and the store say that they are, asked when somebody looks.

Nothing of them is stored. Upstream asks on the API server's own machine; here the parts listen on the advertised address.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from pybernetes.aio.http.client import open_client
from pybernetes.aio.http.errors import ConnectError, HTTPError
from pybernetes.aio.http.request import Origin
from pybernetes.api.errors import not_found
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item, stored_form
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.encoders import Encoders
from pybernetes.apiserver.encoding import ListMetadata
from pybernetes.apiserver.handlers.list_options import list_options, matches
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.negotiate import VIEWS, negotiate
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.resources.strategy import Target

PORTS: Final = {"scheduler": 10259, "controller-manager": 10257}
STORE: Final = "etcd-0"
"""Upstream's name for it; clients look for that."""
WAIT_SECONDS: Final = 5.0


def serve_component_statuses(registry: ServedRegistry) -> None:
    """Have the kind answered here."""
    served = registry.served("", "v1", "componentstatuses")
    assert served is not None
    served.strategy.virtual = ComponentStatuses(served)


class ComponentStatuses:
    """An `Action`: GET of the list, or of one."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._encoders = Encoders()

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        served = self._served
        wanted = negotiate(
            ctx.request.headers.get("accept", ""),
            kinds=VIEWS,
            protobuf=True,
            streams=not target.name,
            pretty=ctx.request.is_pretty,
        )
        include = ctx.request.parameter("includeObject")
        names = (*PORTS, STORE)
        if target.name:
            if target.name not in names:
                raise not_found("", "componentstatus", target.name)
            encoder = self._encoders.single(served, wanted, include)
            return Response(200, encoder.obj(await _item(ctx, target.name)), encoder.content_type)
        options = list_options(ctx.request, served)
        encoder = self._encoders.collection(served, wanted, include)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_item(ctx, name), name=f"component-status-{name}") for name in names]
        items = [task.result() for task in asked if matches(task.result(), options, served.strategy)]
        return Response(200, encoder.items(items, ListMetadata("")), encoder.content_type)


async def _item(ctx: RequestContext, name: str) -> Item:
    # Who is asked for the store's has been answered out of it: the request would have failed before.
    wrong = "" if name == STORE else await _asked(ctx.services.options.advertise_address or "127.0.0.1", PORTS[name])
    condition = {"type": "Healthy", "status": "False" if wrong else "True", "message": wrong or "ok"}
    tree: Tree = {"metadata": {"name": name}, "conditions": [condition]}
    return Item(name, stored_form(tree, keep_type=False), 0, 0)


async def _asked(host: str, port: int) -> str:
    """What is wrong, in Go's words; "" for nothing. The part's certificate is its own business, as for upstream."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    origin = Origin(host, port, tls)
    what = f'Get "https://{origin.authority}/healthz"'
    try:
        async with open_client() as client:
            answer, body = await client.fetch(origin, "GET", "/healthz", (), seconds=WAIT_SECONDS)
    except ConnectError as error:
        refused = isinstance(error.__cause__, ConnectionRefusedError)
        return f"{what}: dial tcp {origin.authority}: connect: {'connection refused' if refused else error}"
    except HTTPError as error:
        return f"{what}: {error}"
    return "" if answer.status == 200 else body.decode(errors="replace")
