"""Which groups and versions other servers serve; requests for these are passed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

from pybernetes.api.errors import StatusError
from pybernetes.api.json_text import read_json
from pybernetes.api.tree import Tree
from pybernetes.apiserver.aggregation.backends import API_SERVICES, Backends, UnreachableError, identity_headers
from pybernetes.apiserver.aggregation.documents import Documents
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.discovery import Elsewhere
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.kubelets.connection import BackendError, dial
from pybernetes.apiserver.kubelets.forward import forward
from pybernetes.apiserver.kubelets.headers import forwarded, is_upgrade
from pybernetes.apiserver.kubelets.upgrade import upgrade
from pybernetes.apiserver.pages import text
from pybernetes.apiserver.registry.registry import Registry
from pybernetes.apiserver.user import LOOPBACK

SAFE_PATH: Final = "/:@!$&'()*+,;=~-._%"
DISCOVERY_LIMIT: Final = 4 << 20
CHECK_SECONDS: Final = 5.0


class Aggregator:
    """`follow` has to be called once."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._changed: Callable[[], None] = lambda: None
        self.documents = Documents()
        """What the other servers publish of their APIs."""
        self._specs: dict[tuple[str, str], Tree] = {}
        self._resources: dict[tuple[str, str], list[Tree]] = {}
        self._silent: set[tuple[str, str]] = set()
        """Those whose server did not say what it serves when it was asked last."""

    def follow(self, registry: Registry, changed: Callable[[], None]) -> None:
        """Go by the APIServices there are and will be; `changed` is called when what is served elsewhere has changed."""
        self._changed = changed
        registry.subscribe(API_SERVICES, self._on_api_service)

    def _on_api_service(self, old: Item | None, new: Item | None) -> None:
        for item, is_there in ((old, False), (new, True)):
            if item is None:
                continue
            spec = item.tree["spec"]
            key = spec.get("group", ""), spec["version"]
            if is_there and spec.get("service"):
                if self._specs.get(key) != spec:
                    self._specs[key] = spec
                    self._changed()
            elif self._specs.pop(key, None) is not None and new is None:
                self._resources.pop(key, None)
                self._silent.discard(key)
                self.documents.forget(key)
                self._changed()

    def passes_on(self, group: str, version: str) -> bool:
        """Whether requests for a group and version are another server's."""
        return (group, version) in self._specs

    def groups(self) -> Iterator[Elsewhere]:
        """What is known to be served there, be it by an answer of long ago."""
        for (group, version), spec in sorted(
            self._specs.items(), key=lambda one: -one[1].get("groupPriorityMinimum", 0)
        ):
            del spec
            key = group, version
            yield Elsewhere(group, version, self._resources.get(key, []), key not in self._silent)

    def matching(self, path: str) -> tuple[str, str] | None:
        """The group and version of a path of `/apis` that is no resource's: discovery, OpenAPI."""
        parts = path.strip("/").split("/")
        if len(parts) >= 3 and parts[0] == "apis" and (parts[1], parts[2]) in self._specs:
            return parts[1], parts[2]
        if len(parts) == 5 and parts[:3] == ["openapi", "v3", "apis"] and (parts[3], parts[4]) in self._specs:
            return parts[3], parts[4]
        return None

    async def __call__(self, ctx: RequestContext, group: str, version: str) -> Answer:
        """Pass a request on, and the answer back as it comes. Raises StatusError."""
        request = ctx.request
        try:
            endpoint = self._backends.endpoint(self._specs[group, version])
        except UnreachableError:
            return text(503, "service unavailable\n")
        target = quote(request.path, safe=SAFE_PATH) + (f"?{request.query_string}" if request.query_string else "")
        given = [each for each in request.header_list if not each[0].lower().startswith("x-remote-")]
        identity = [*identity_headers(ctx.user), ("X-Forwarded-For", request.remote)]
        try:
            if is_upgrade(given):
                return await upgrade(request, endpoint, target, identity)
            return await forward(ctx, endpoint, target, headers=[*forwarded(given), *identity])
        except StatusError as error:
            return text(503, f"error trying to reach service: {_cause(error)}\n")

    async def check(self, spec: Tree) -> None:
        """Ask a server what it serves, for discovery. Raises UnreachableError if it does not tell."""
        key = spec.get("group", ""), spec["version"]
        try:
            body = await self._ask(spec, f"/apis/{key[0]}/{key[1]}")
        except UnreachableError:
            if key not in self._silent:
                self._silent.add(key)
                self._changed()
            raise
        self._learn(key, body)

    async def _ask(self, spec: Tree, path: str) -> bytes:
        endpoint = self._backends.endpoint(spec)
        shown = f"failing or missing response from https://{endpoint.authority}{path}"
        try:
            connection = await dial(endpoint)
        except StatusError as error:
            raise UnreachableError(
                "FailedDiscoveryCheck", f'{shown}: Get "https://{endpoint.authority}{path}": {_cause(error)}'
            ) from error
        try:
            headers = [("Accept", "application/json"), ("Connection", "close"), *identity_headers(LOOPBACK)]
            await connection.send("GET", path, endpoint.authority, headers)
            head = await connection.read_head(CHECK_SECONDS)
            body = await connection.read_text(head, DISCOVERY_LIMIT)
        except BackendError as error:
            raise UnreachableError("FailedDiscoveryCheck", f"{shown}: {error}") from error
        finally:
            connection.close()
        if head.status != 200:
            raise UnreachableError(
                "FailedDiscoveryCheck", f"{shown}: bad status from https://{endpoint.authority}{path}: {head.status}"
            )
        return body

    async def learn_documents(self, spec: Tree) -> None:
        """Ask a server what it publishes of its API. Never fails: there may be nothing."""
        key = spec.get("group", ""), spec["version"]
        try:
            told = await self.documents.learn(key, self._backends.endpoint(spec))
        except UnreachableError:
            return
        if key not in self._specs:
            self.documents.forget(key)
        elif told:
            self._changed()

    def _learn(self, key: tuple[str, str], body: bytes) -> None:
        try:
            listed: Any = read_json(body)
            resources = [each for each in listed["resources"] if isinstance(each["name"], str)]
        except (ValueError, KeyError, TypeError):
            resources = []
        if self._resources.get(key) != resources or key in self._silent:
            self._resources[key] = resources
            self._silent.discard(key)
            self._changed()


def _cause(error: StatusError) -> str:
    """What kept the other server from answering."""
    return error.message.removeprefix("Internal error occurred: ").removeprefix("error dialing backend: ")
