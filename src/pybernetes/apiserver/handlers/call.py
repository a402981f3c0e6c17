"""One resource request, resolved: which resource, which object, which part of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pybernetes.api.protobuf import encode_object, has_message
from pybernetes.api.schema import Schema, schema_of
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.encoders import Encoders, go_name, no_list
from pybernetes.apiserver.http.compression import GZIP_FROM_BYTES, compressed
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.negotiate import PARTIAL_LIST, PARTIALS, PROTOBUF, VIEWS, YAML, Format, negotiate
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.resources.strategy import Part
from pybernetes.apiserver.table.views import converted
from pybernetes.apiserver.yaml import to_yaml


class Call(NamedTuple):
    """What a verb's handler works on. `part` is set for writes and reads of a subresource that is a view."""

    ctx: RequestContext
    served: Served
    encoders: Encoders
    namespace: str
    name: str
    subresource: str = ""
    part: Part | None = None

    @property
    def accept(self) -> str:
        return self.ctx.request.headers.get("accept", "")

    @property
    def prefix(self) -> str:
        """Of the keys in the cache that a collection's request is about."""
        return f"{self.namespace}/" if self.namespace else ""

    @property
    def own_view(self) -> bool:
        """Whether the part shows an object of its own kind."""
        return self.part is not None and not self.part.is_whole

    @property
    def expected_api_version(self) -> str:
        """What the client's object must be of."""
        resource = self.served.resource
        return resource.subresources[self.subresource].api_version if self.own_view else resource.api_version

    @property
    def expected_kind(self) -> str:
        resource = self.served.resource
        return resource.subresources[self.subresource].kind if self.own_view else resource.kind

    @property
    def schema(self) -> Schema | None:
        """Of what travels here; None where anything goes."""
        if self.own_view:
            return schema_of(self.expected_api_version, self.expected_kind)
        return self.served.schema

    def format(self) -> Format:
        """What the client wants single objects in. Raises StatusError 406."""
        return self.negotiated()

    def negotiated(self, *, streams: bool = False) -> Format:
        """The same of collections, too. Raises StatusError 406."""
        known = not self.served.custom
        pretty = self.ctx.request.is_pretty
        kinds = VIEWS if self.part is None or self.part.has_table else PARTIALS
        return negotiate(self.accept, kinds=kinds, protobuf=known, routed=known, streams=streams, pretty=pretty)

    def answer(self, status: int, item: Item, wanted: Format) -> Response:
        """The object in the format asked for."""
        if self.part is not None and not self.part.is_whole:
            view = self.view(item.tree)
            if wanted.kind == PARTIAL_LIST:
                raise no_list(wanted.kind, go_name(self.expected_api_version.partition("/")[0], self.expected_kind))
            if wanted.kind:
                view = converted(
                    view, wanted, self.ctx.request.parameter("includeObject"), self.ctx.services.clock.now()
                )
            return tree_answer(status, view, wanted)
        encoder = self.encoders.single(self.served, wanted, self.ctx.request.parameter("includeObject"))
        answer = Response(status, encoder.obj(item), encoder.content_type)
        if len(answer.body) < GZIP_FROM_BYTES:
            return answer
        return compressed(answer, self.ctx.request.headers.get("accept-encoding", ""))

    def view(self, tree: Tree) -> Tree:
        """What the client sees of a stored object, with its kind."""
        if self.part is None or self.part.is_whole:
            return self.served.typed(self.served.from_storage(tree))
        return self.part.read(tree)


def tree_answer(status: int, tree: Tree, wanted: Format) -> Response:
    """Any object that is not stored: a Status, a Scale, a review."""
    if wanted.media_type == YAML:
        return Response(status, to_yaml(tree), YAML)
    if wanted.media_type == PROTOBUF and has_message(tree.get("apiVersion", ""), tree["kind"]):
        return Response(status, encode_object(tree), PROTOBUF)
    body = msgspec.json.encode(tree)
    return Response(status, msgspec.json.format(body, indent=2) if wanted.pretty else body + b"\n")
