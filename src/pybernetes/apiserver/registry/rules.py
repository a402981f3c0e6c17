"""What is legal for any kind: its metadata, and the rules of `api.validation` for the kind itself."""

from __future__ import annotations

from pybernetes.api import names
from pybernetes.api.field import ErrorList
from pybernetes.api.scheme import Resource
from pybernetes.api.validation.metadata import validate_metadata, validate_metadata_update
from pybernetes.apiserver.context import Tree


def validate(resource: Resource, tree: Tree, old: Tree | None = None, subresource: str = "") -> ErrorList:
    """What is wrong with a new object, or with changing `old` into `tree`."""
    check = names.path_segment if resource.group == "rbac.authorization.k8s.io" else names.dns1123_subdomain
    errors = list(validate_metadata(tree["metadata"], resource.namespaced, check))
    if old is not None:
        errors += validate_metadata_update(tree["metadata"], old["metadata"])
    return errors
