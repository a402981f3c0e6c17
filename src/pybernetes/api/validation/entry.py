"""Validation of whole objects."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from pybernetes.api.field import ErrorList, Path
from pybernetes.api.scheme import Resource, groups
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative
from pybernetes.api.validation.kinds import Errors, Rules
from pybernetes.api.validation.metadata import (
    is_kept,
    validate_metadata,
    validate_metadata_update,
    validate_open_bags,
)

_MODULES = (
    "access_review", "admission_policy", "api_service", "certificate_signing_request", "config_map",
    "controller_revision", "cron_job", "csi", "custom_resource_definition", "daemon_set", "deployment",
    "endpoint_slice", "endpoints", "event", "flow_control", "horizontal_pod_autoscaler", "ingress", "job", "lease",
    "limit_range", "namespace", "network_policy", "node", "persistent_volume", "persistent_volume_claim", "pod.rules",
    "pod_disruption_budget", "priority_class", "rbac", "replica_set", "replication_controller", "resource_quota",
    "secret", "service", "service_account", "service_addresses", "stateful_set", "storage_class", "webhooks",
)  # fmt: skip

_DEFAULT = Rules()
_PLAIN_FINALIZERS = ("apiextensions.k8s.io", "apiregistration.k8s.io")
"""Groups whose finalizers need no domain, as those of custom resources; upstream's rule is that of one of its servers."""


def validate(resource: Resource, tree: Tree, old: Tree | None = None, subresource: str = "") -> ErrorList:
    """What is wrong with a new object, or with changing `old` into `tree`; empty when nothing is.

    `tree` is complete: decoded, defaulted, with the name, namespace and uid that it will have. Of custom resources
    only the metadata is checked.
    """
    return list(_errors(resource, tree, old, subresource))


def _errors(resource: Resource, tree: Tree, old: Tree | None, subresource: str) -> Errors:
    rules = rules_of(resource)
    kept = old is not None and is_kept(tree["metadata"], old["metadata"])
    if not rules.nameless and not kept:
        plain = resource.group in _PLAIN_FINALIZERS or resource.group not in groups()
        yield from validate_metadata(tree["metadata"], resource.namespaced, rules.name, plain_finalizers=plain)
    if old is None:
        yield from rules.create(tree)
        return
    if not kept:
        yield from _metadata_update_errors(tree["metadata"], old["metadata"])
    through = rules.subresources.get(subresource)
    if through is not None:
        yield from through(tree, old)
    elif subresource == "scale":
        yield from non_negative(tree["spec"], Path("spec"), "replicas")
    elif not subresource:
        if not rules.update_is_whole:
            yield from rules.create(tree)
        yield from rules.update(tree, old)


def _metadata_update_errors(new: Tree, old: Tree) -> Errors:
    """Upstream looks at metadata once for all kinds and again for each, and clients see every complaint twice."""
    once = list(validate_metadata_update(new, old))
    yield from once
    # A missing version ends the first look.
    yield from (error for error in once if error.field != "metadata.resourceVersion")
    # These are part of both looks, and were part of the look at the whole object before.
    again = list(validate_open_bags(new))
    yield from again
    yield from again


def rules_of(resource: Resource) -> Rules:
    """The rules of a kind; every version of a group's resource has the same ones."""
    return _table().get((resource.group, resource.plural), _DEFAULT)


@cache
def _table() -> dict[tuple[str, str], Rules]:
    table: dict[tuple[str, str], Rules] = {}
    for name in _MODULES:
        table |= import_module(f"pybernetes.api.validation.{name}").RULES
    return table
