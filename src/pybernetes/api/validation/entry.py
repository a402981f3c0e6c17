"""Validation of whole objects."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from pybernetes.api import names
from pybernetes.api.field import ErrorList, Path
from pybernetes.api.scheme import Resource, groups
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import (
    is_kept,
    validate_metadata,
    validate_metadata_update,
    validate_open_bags,
    validate_plain_finalizers,
)

_MODULES: Final = {
    "access_review": (
        "localsubjectaccessreviews.authorization.k8s.io selfsubjectaccessreviews.authorization.k8s.io "
        "selfsubjectreviews.authentication.k8s.io selfsubjectrulesreviews.authorization.k8s.io "
        "subjectaccessreviews.authorization.k8s.io tokenreviews.authentication.k8s.io"
    ),
    "admission_policy": (
        "mutatingadmissionpolicies.admissionregistration.k8s.io "
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io "
        "validatingadmissionpolicies.admissionregistration.k8s.io "
        "validatingadmissionpolicybindings.admissionregistration.k8s.io"
    ),
    "api_service": "apiservices.apiregistration.k8s.io",
    "certificate_signing_request": "certificatesigningrequests.certificates.k8s.io",
    "config_map": "configmaps",
    "controller_revision": "controllerrevisions.apps",
    "cron_job": "cronjobs.batch",
    "csi": (
        "csidrivers.storage.k8s.io csinodes.storage.k8s.io csistoragecapacities.storage.k8s.io "
        "volumeattachments.storage.k8s.io"
    ),
    "custom_resource_definition": "customresourcedefinitions.apiextensions.k8s.io",
    "daemon_set": "daemonsets.apps",
    "deployment": "deployments.apps",
    "device_class": "deviceclasses.resource.k8s.io",
    "endpoint_slice": "endpointslices.discovery.k8s.io",
    "endpoints": "endpoints",
    "event": "events events.events.k8s.io",
    "flow_control": (
        "flowschemas.flowcontrol.apiserver.k8s.io prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
    ),
    "horizontal_pod_autoscaler": "horizontalpodautoscalers.autoscaling",
    "ingress": "ingressclasses.networking.k8s.io ingresses.networking.k8s.io",
    "job": "jobs.batch",
    "lease": "leases.coordination.k8s.io",
    "limit_range": "limitranges",
    "namespace": "namespaces",
    "network_policy": "networkpolicies.networking.k8s.io",
    "node": "nodes",
    "persistent_volume": "persistentvolumes",
    "persistent_volume_claim": "persistentvolumeclaims",
    "pod.rules": "pods podtemplates",
    "pod_disruption_budget": "poddisruptionbudgets.policy",
    "priority_class": "priorityclasses.scheduling.k8s.io runtimeclasses.node.k8s.io",
    "rbac": (
        "clusterrolebindings.rbac.authorization.k8s.io clusterroles.rbac.authorization.k8s.io "
        "rolebindings.rbac.authorization.k8s.io roles.rbac.authorization.k8s.io"
    ),
    "replica_set": "replicasets.apps",
    "replication_controller": "replicationcontrollers",
    "resource_claim": "resourceclaims.resource.k8s.io resourceclaimtemplates.resource.k8s.io",
    "resource_quota": "resourcequotas",
    "resource_slice": "resourceslices.resource.k8s.io",
    "secret": "secrets",
    "service": "services",
    "service_account": "serviceaccounts",
    "service_addresses": "ipaddresses.networking.k8s.io servicecidrs.networking.k8s.io",
    "stateful_set": "statefulsets.apps",
    "storage_class": "storageclasses.storage.k8s.io volumeattributesclasses.storage.k8s.io",
    "webhooks": (
        "mutatingwebhookconfigurations.admissionregistration.k8s.io "
        "validatingwebhookconfigurations.admissionregistration.k8s.io"
    ),
}
"""The resources that each module has rules for: a module is loaded with the first object of its kinds."""
_MODULE_OF: Final = {resource: module for module, resources in _MODULES.items() for resource in resources.split()}

_DEFAULT = Rules()


def validate(resource: Resource, tree: Tree, old: Tree | None = None, subresource: str = "") -> ErrorList:
    """What is wrong with a new object, or with changing `old` into `tree`; empty when nothing is.

    `tree` is complete: decoded, defaulted, with the name, namespace and uid that it will have. Of custom resources
    only the metadata is checked.
    """
    return list(_errors(resource, tree, old, subresource))


def _errors(resource: Resource, tree: Tree, old: Tree | None, subresource: str) -> Errors:
    rules = rules_of(resource)
    if old is None:
        wrong = list(rules.create(tree))
        if not rules.nameless and not (rules.metadata_last and wrong):
            plain = rules.plain_finalizers or resource.group not in groups()
            yield from validate_metadata(tree["metadata"], resource.namespaced, rules.name, plain_finalizers=plain)
        yield from wrong
        return
    if not is_kept(tree["metadata"], old["metadata"]):
        yield from _metadata_update_errors(resource, rules, tree["metadata"], old["metadata"], subresource)
    through = rules.subresources.get(subresource)
    if through is not None:
        yield from through(tree, old)
    elif subresource == "scale" and resource.group in groups():
        yield from non_negative(tree["spec"], Path("spec"), "replicas")
    elif not subresource:
        if not rules.update_is_whole:
            yield from rules.create(tree)
        yield from rules.update(tree, old)


def _metadata_update_errors(resource: Resource, rules: Rules, new: Tree, old: Tree, subresource: str) -> Errors:
    """Upstream looks at metadata once for all kinds and again for each, and clients see every complaint of each look."""
    wholes, updates = rules.whole_looks, rules.update_looks
    if subresource:
        wholes, updates = rules.part_looks.get(subresource, (0, 1))
    plain = rules.plain_finalizers or resource.group not in groups()
    yield from validate_metadata(new, resource.namespaced, names.path_segment, plain_finalizers=True)
    once = list(validate_metadata_update(new, old))
    bags = list(validate_open_bags(new))
    yield from (*once, *bags)
    for _ in range(updates):
        # A missing version ends the first look.
        yield from (error for error in once if error.field != "metadata.resourceVersion")
        yield from bags
        if not plain:
            yield from validate_plain_finalizers(new)
    for _ in range(wholes):
        yield from validate_metadata(new, resource.namespaced, rules.name, plain_finalizers=plain)


def rules_of(resource: Resource) -> Rules:
    """The rules of a kind; every version of a group's resource has the same ones."""
    return _rules(resource.group, resource.plural)


@cache
def _rules(group: str, plural: str) -> Rules:
    module = _MODULE_OF.get(f"{plural}.{group}" if group else plural)
    if module is None:
        return _DEFAULT
    table: RulesTable = import_module(f"pybernetes.api.validation.{module}").RULES
    return table[group, plural]
