"""Objects that admission has changed become objects again: types checked, defaults filled in."""

from __future__ import annotations

from pybernetes.api.decode import DecodeError, decode
from pybernetes.api.defaults.walk import apply_defaults
from pybernetes.api.errors import StatusError, bad_request
from pybernetes.api.patch.structure import merge
from pybernetes.api.schema import Json
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.registry.served_registry import ServedRegistry


class Maker:
    """Puts what a webhook or policy made in the place of the object that is written."""

    def __init__(self, registry: ServedRegistry) -> None:
        self._registry = registry

    def merged(self, attributes: Attributes, live: Tree, config: Tree) -> Json:
        """An object with what an apply configuration states: lists merge by their keys, as in server-side apply."""
        resource = attributes.resource
        served = self._registry.served(resource.group, resource.version, resource.plural)
        if served is None or served.schema is None:
            raise bad_request(f"{resource.group_resource} is not served")
        return merge(served.schema, live, config)

    def replace(self, attributes: Attributes, made: Json) -> None:
        """Raises StatusError for what is no object of the kind."""
        assert attributes.object is not None
        if not isinstance(made, dict) or not isinstance(made.get("metadata"), dict):
            raise bad_request("the object that admission made is no object")
        resource = attributes.resource
        served = self._registry.served(resource.group, resource.version, resource.plural)
        try:
            if served is not None and served.shape is not None:
                made, _ = served.shape.prepare(made)
            elif served is not None and served.schema is not None and not attributes.subresource:
                made = decode(served.schema, made).tree
                apply_defaults(resource, made)
        except DecodeError as error:
            raise StatusError(422, "Invalid", str(error)) from error
        if "kind" not in attributes.object:
            made = {key: value for key, value in made.items() if key not in ("apiVersion", "kind")}
        attributes.object.clear()
        attributes.object.update(made)
