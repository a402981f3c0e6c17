"""Objects that admission has changed become objects again: types checked, defaults filled in."""

from __future__ import annotations

from pybernetes.api.decode import DecodeError, decode
from pybernetes.api.defaults.walk import apply_defaults
from pybernetes.api.errors import bad_request, internal
from pybernetes.api.field import quote
from pybernetes.api.patch.structure import merge
from pybernetes.api.schema import Json, Schema, schema_of
from pybernetes.api.tree import Tree
from pybernetes.apiserver.handlers.registered import LEGACY
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.stages.admit.dynamic.faces import Face, Versions


class Maker:
    """Puts what a webhook or policy made in the place of the object that is written."""

    def __init__(self, registry: ServedRegistry, versions: Versions) -> None:
        self._registry = registry
        self._versions = versions

    def merged(self, face: Face, live: Tree, config: Tree) -> Json:
        """An object with what an apply configuration states: lists merge by their keys, as in server-side apply."""
        return merge(self.schema(face), live, config)

    def schema(self, face: Face) -> Schema:
        """Raises StatusError."""
        resource, (api_version, kind) = face.resource, face.kind
        if kind != resource.kind:
            return schema_of(api_version, kind)
        served = self._registry.served(resource.group, resource.version, resource.plural)
        if served is None or served.schema is None:
            raise bad_request(f"{resource.group_resource} is not served")
        return served.schema

    async def replace(self, face: Face, made: Json, *, strict: bool = False) -> None:
        """The face's object and the one that is written become this.

        Raises StatusError 500 for what is no such object, where it is `strict` for one with unknown fields, too.
        """
        attributes = face.attributes
        assert attributes.object is not None
        if not isinstance(made, dict):
            raise internal("the object that admission made is no object")
        api_version, kind = face.kind
        if (made.get("apiVersion", api_version), made.get("kind", kind)) != face.kind:
            words = (
                f"no kind {quote(str(made.get('kind')))} is registered for version {quote(str(made.get('apiVersion')))}"
            )
            raise internal(f'{words} in scheme "{LEGACY}"')
        if "metadata" in attributes.object and made.get("metadata") is None:
            made = {**made, "metadata": {}}
        face.object = self._typed(face, made, strict=strict)
        own = await self._versions.back(face.object, attributes, face.resource)
        if "kind" not in attributes.object:
            own = {key: value for key, value in own.items() if key not in ("apiVersion", "kind")}
        attributes.object.clear()
        attributes.object.update(own)

    def _typed(self, face: Face, made: Tree, *, strict: bool) -> Tree:
        resource = face.resource
        served = self._registry.served(resource.group, resource.version, resource.plural)
        is_whole = face.kind[1] == resource.kind
        if face.attributes.operation == "CONNECT":
            return made  # options of a query have no schema: who connects reads them
        try:
            if served is not None and served.shape is not None and is_whole:
                return served.shape.prepare(made)[0]
            if not face.attributes.subresource or not is_whole:
                decoded = decode(self.schema(face), made)
                if strict and decoded.unknown:
                    unknown = ", ".join(f'unknown field "{field}"' for field in decoded.unknown)
                    raise internal(f"strict decoding error: {unknown}")
                made = decoded.tree
                if is_whole:
                    apply_defaults(resource, made)
                made["apiVersion"], made["kind"] = face.kind
        except DecodeError as error:
            raise internal(str(error)) from error
        return made
