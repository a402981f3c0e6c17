"""The verbs of the API on typed objects (or JSON trees), each one request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, cast, overload

import msgspec

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.http.client import open_client
from pybernetes.api.scheme import Resource, by_kind
from pybernetes.api.tree import Tree
from pybernetes.api.types.base import Object
from pybernetes.client.codec import Codec, HasMetadata, Page, TypedCodec, decoder_of, kind_of, tree_codec, typed_codec
from pybernetes.client.config import Config
from pybernetes.client.patch import Patch, PatchType
from pybernetes.client.transport import REQUEST_SECONDS, Request, Response, Transport

T = TypeVar("T")
ObjectT = TypeVar("ObjectT", bound=Object)


class Client:
    """The API of one cluster. Made by `connect`; every failed call raises `api.errors.StatusError`.

    A kind is a type of `api.types`, or a `Resource` for kinds without a type, whose objects are JSON trees.
    """

    def __init__(self, transport: Transport, config: Config) -> None:
        self.transport = transport
        self.config = config

    @overload
    async def get(self, kind: type[ObjectT], name: str, namespace: str = "", *, subresource: str = ...) -> ObjectT: ...
    @overload
    async def get(self, kind: Resource, name: str, namespace: str = "", *, subresource: str = ...) -> Tree: ...
    async def get(
        self, kind: type[ObjectT] | Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> ObjectT | Tree:
        """Read one object."""
        codec = codec_of(kind)
        return await self._object(codec, Request("GET", codec.resource.path(namespace, name, subresource)))

    @overload
    async def list(self, kind: type[ObjectT], namespace: str = "", **options: Any) -> Page[ObjectT]: ...
    @overload
    async def list(self, kind: Resource, namespace: str = "", **options: Any) -> Page[Tree]: ...
    async def list(self, kind: Any, namespace: str = "", **options: Any) -> Page[Any]:
        """Read a collection, or with `limit` a part of it: see `list_with` for the options."""
        return await self.list_with(codec_of(kind), namespace, **options)

    async def list_with(
        self,
        codec: Codec[T],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> Page[T]:
        """Read a collection by its codec; `resource_version="0"` takes what the server's cache holds."""
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(limit) if limit else "",
            "continue": continue_,
            "resourceVersion": resource_version,
        }
        request = Request("GET", codec.resource.path(namespace), query, accept=codec.accept_list)
        return codec.page((await self.transport.request(request)).body)

    async def create(self, obj: ObjectT, namespace: str = "", *, query: Mapping[str, str] | None = None) -> ObjectT:
        """Create; the answer is the object as stored. `namespace` is needed only if the object names none."""
        codec, meta = typed_codec(type(obj)), _meta(obj)
        path = codec.resource.path(meta.namespace or namespace)
        return await self._object(codec, Request("POST", path, query or {}, msgspec.json.encode(obj)))

    async def create_tree(self, tree: Tree, resource: Resource | None = None) -> Tree:
        """Create an object given as a JSON tree; `resource` is needed only for custom ones."""
        codec = tree_codec(resource or _resource_of(tree))
        path = codec.resource.path(tree["metadata"].get("namespace", ""))
        return await self._object(codec, Request("POST", path, body=msgspec.json.encode(tree)))

    async def update(self, obj: ObjectT, *, subresource: str = "") -> ObjectT:
        """Replace; raises Conflict if the object carries a resourceVersion that is no longer the stored one."""
        codec, meta = typed_codec(type(obj)), _meta(obj)
        path = codec.resource.path(meta.namespace or "", meta.name or "", subresource)
        return await self._object(codec, Request("PUT", path, body=msgspec.json.encode(obj)))

    async def update_status(self, obj: ObjectT) -> ObjectT:
        """Replace the status only."""
        return await self.update(obj, subresource="status")

    async def update_tree(self, tree: Tree, resource: Resource | None = None, *, subresource: str = "") -> Tree:
        """Replace an object given as a JSON tree."""
        codec, meta = tree_codec(resource or _resource_of(tree)), tree["metadata"]
        path = codec.resource.path(meta.get("namespace", ""), meta["name"], subresource)
        return await self._object(codec, Request("PUT", path, body=msgspec.json.encode(tree)))

    @overload
    async def patch(
        self, kind: type[ObjectT], name: str, namespace: str, patch: Patch, type: PatchType = ...,
        *, subresource: str = ..., field_manager: str = ..., force: bool = ...,
    ) -> ObjectT: ...  # fmt: skip
    @overload
    async def patch(
        self, kind: Resource, name: str, namespace: str, patch: Patch, type: PatchType = ...,
        *, subresource: str = ..., field_manager: str = ..., force: bool = ...,
    ) -> Tree: ...  # fmt: skip
    async def patch(
        self, kind: Any, name: str, namespace: str, patch: Patch, type: PatchType = PatchType.MERGE,
        *, subresource: str = "", field_manager: str = "", force: bool = False,
    ) -> Any:  # fmt: skip
        """Change part of an object; `force` takes over fields in a server-side apply."""
        codec = codec_of(kind)
        body = patch if isinstance(patch, bytes) else msgspec.json.encode(patch)
        query = {"fieldManager": field_manager, "force": "true" if force else ""}
        path = codec.resource.path(namespace, name, subresource)
        return await self._object(codec, Request("PATCH", path, query, body, type.value))

    @overload
    async def delete(
        self, kind: type[ObjectT], name: str, namespace: str = "", *, uid: str = ..., resource_version: str = ...,
        grace_period_seconds: int | None = ..., propagation_policy: str | None = ...,
    ) -> ObjectT | None: ...  # fmt: skip
    @overload
    async def delete(
        self, kind: Resource, name: str, namespace: str = "", *, uid: str = ..., resource_version: str = ...,
        grace_period_seconds: int | None = ..., propagation_policy: str | None = ...,
    ) -> Tree | None: ...  # fmt: skip
    async def delete(
        self, kind: Any, name: str, namespace: str = "", *, uid: str = "", resource_version: str = "",
        grace_period_seconds: int | None = None, propagation_policy: str | None = None,
    ) -> Any:  # fmt: skip
        """Ask for deletion; with `uid` only that very object's (else Conflict). Raises NotFound if it is gone.

        Returns the object as it is now, or was at last, where the server tells it.
        """
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation_policy is not None:
            options["propagationPolicy"] = propagation_policy
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if given := {name: value for name, value in preconditions.items() if value}:
            options["preconditions"] = given
        codec = codec_of(kind)
        request = Request("DELETE", codec.resource.path(namespace, name), body=msgspec.json.encode(options))
        answer = await self.transport.request(request)
        return codec.object(answer.body) if kind_of(answer.body) == codec.resource.kind else None

    async def delete_collection(
        self, kind: type[Object] | Resource, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> None:
        """Ask for the deletion of every object of a collection that the selectors take in; "" takes all."""
        path = codec_of(kind).resource.path(namespace)
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        await self.transport.request(Request("DELETE", path, {name: text for name, text in query.items() if text}))

    async def post(
        self, kind: type[Object], name: str, namespace: str, subresource: str, body: Object, *, returns: type[ObjectT]
    ) -> ObjectT:
        """Create a subresource: "binding", "eviction", "token"."""
        path = codec_of(kind).resource.path(namespace, name, subresource)
        answer = await self.transport.request(Request("POST", path, body=msgspec.json.encode(body)))
        made: ObjectT = decoder_of(returns).decode(answer.body)
        return made

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> Response:
        """Any request, answered with bytes."""
        return await self.transport.request(Request(method, path, query or {}, body, content_type, accept), seconds)

    def stream(
        self, path: str, *, query: Mapping[str, str] | None = None, accept: str = "*/*", idle_seconds: float = 3600
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The body of a GET in chunks as they arrive: logs, watches."""
        return self.transport.stream(Request("GET", path, query or {}, accept=accept), idle_seconds)

    async def _object(self, codec: Codec[T], request: Request) -> T:
        return codec.object((await self.transport.request(request)).body)


@asynccontextmanager
async def connect(
    config: Config, *, user_agent: str = "pybernetes", clock: Clock | None = None
) -> AsyncIterator[Client]:
    """A client whose connections are closed when the block ends. Opens none by itself.

    Raises ConfigError if the credentials cannot be used.
    """
    async with open_client() as http:
        yield Client(Transport(http, config, user_agent, clock or SystemClock()), config)


@overload
def codec_of(kind: type[ObjectT]) -> TypedCodec[ObjectT]: ...
@overload
def codec_of(kind: Resource) -> Codec[Tree]: ...
@overload
def codec_of(kind: type[Object] | Resource) -> Codec[Any]: ...
def codec_of(kind: type[Object] | Resource) -> Codec[Any]:
    """The codec of a kind; LookupError for a type that is no resource."""
    return tree_codec(kind) if isinstance(kind, Resource) else typed_codec(kind)


def _meta(obj: Object) -> Any:
    return cast(HasMetadata, obj).metadata


def _resource_of(tree: Tree) -> Resource:
    resource = by_kind(tree["apiVersion"], tree["kind"])
    if resource is None:
        raise LookupError(f"{tree['apiVersion']} {tree['kind']} is no built-in resource")
    return resource
