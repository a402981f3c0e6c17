"""Which strategy each built-in kind has: one line per kind that differs from the generic one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pybernetes.api.scheme import Resource
from pybernetes.apiserver.resources import event
from pybernetes.apiserver.resources.api_service import APIServiceStrategy
from pybernetes.apiserver.resources.certificate_request import Approval, CertificateRequestStrategy, CertificateStatus
from pybernetes.apiserver.resources.csi_driver import CSIDriverStrategy
from pybernetes.apiserver.resources.daemon_set import DaemonSetStrategy
from pybernetes.apiserver.resources.devices import ClaimStatus, ResourceSliceStrategy
from pybernetes.apiserver.resources.devices import ClaimStrategy as DeviceClaimStrategy
from pybernetes.apiserver.resources.endpoint_slice import EndpointSliceStrategy
from pybernetes.apiserver.resources.event import EventStrategy
from pybernetes.apiserver.resources.generation import DeploymentStrategy, PriorityClassStrategy
from pybernetes.apiserver.resources.job import JobStrategy
from pybernetes.apiserver.resources.kind import FieldOf, KindStrategy, path
from pybernetes.apiserver.resources.lease import LeaseStrategy
from pybernetes.apiserver.resources.limit_range import LimitRangeStrategy
from pybernetes.apiserver.resources.namespace import Finalize, NamespaceStrategy
from pybernetes.apiserver.resources.node import NodeStatus, NodeStrategy
from pybernetes.apiserver.resources.pod import PodStrategy
from pybernetes.apiserver.resources.pod_binding import BindingAction
from pybernetes.apiserver.resources.pod_eviction import EvictionAction
from pybernetes.apiserver.resources.pod_parts import Assign, EphemeralContainers, PodStatus, Resize
from pybernetes.apiserver.resources.proxies import NodeProxy, PodProxy, ServiceProxy
from pybernetes.apiserver.resources.rbac import BindingStrategy, RoleStrategy
from pybernetes.apiserver.resources.reviews import AccessReview, RulesReview, SelfReview, TokenReview
from pybernetes.apiserver.resources.scale import Scale
from pybernetes.apiserver.resources.secret import SecretStrategy
from pybernetes.apiserver.resources.service import ServiceStrategy
from pybernetes.apiserver.resources.service_account import ServiceAccountStrategy
from pybernetes.apiserver.resources.status import (
    JobStatus,
    StatusAlone,
    StatusOnly,
    StatusWithoutLabels,
    UnlistedStatus,
)
from pybernetes.apiserver.resources.strategy import Part, Strategy
from pybernetes.apiserver.resources.streams import AttachAction, ExecAction, LogAction, PortForwardAction
from pybernetes.apiserver.resources.token import TokenAction
from pybernetes.apiserver.resources.volume import ClaimStrategy, VolumeStatus, VolumeStrategy

Make: TypeAlias = Callable[[Resource], Strategy]

SPECIAL_GROUPS = frozenset(("admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io"))
"""Groups all of whose kinds count generations."""
GENERATION = frozenset(
    (
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "jobs.batch",
        "cronjobs.batch",
        "csidrivers.storage.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
        "deviceclasses.resource.k8s.io",
        "endpointslices.discovery.k8s.io",
        "ingressclasses.networking.k8s.io",
        "ingresses.networking.k8s.io",
        "networkpolicies.networking.k8s.io",
        "poddisruptionbudgets.policy",
        "priorityclasses.scheduling.k8s.io",
        "resourceslices.resource.k8s.io",
    )
)
RETURNS_DELETED = frozenset(
    (
        "pods",
        "services",
        "persistentvolumes",
        "persistentvolumeclaims",
        "resourcequotas",
        "serviceaccounts",
        "podtemplates",
        "deviceclasses.resource.k8s.io",
        "resourceclaims.resource.k8s.io",
        "resourceclaimtemplates.resource.k8s.io",
        "resourceslices.resource.k8s.io",
        "storageclasses.storage.k8s.io",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "volumeattributesclasses.storage.k8s.io",
    )
)
CREATED_BY_UPDATE = frozenset(
    (
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "endpoints",
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
        "limitranges",
        "rolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
        "runtimeclasses.node.k8s.io",
        "services",
    )
)
"""Kinds of which a PUT makes what is not there."""
ORPHANS_DEPENDENTS = frozenset(("replicationcontrollers", "jobs.batch"))
VERSIONED_UPDATES = frozenset(
    (
        "apiservices.apiregistration.k8s.io",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io",
        "leases.coordination.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "poddisruptionbudgets.policy",
        "runtimeclasses.node.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "volumeattachments.storage.k8s.io",
    )
)
"""Kinds that are only replaced by those who say which version they have seen."""
SCALABLE = frozenset(("replicationcontrollers", "deployments.apps", "replicasets.apps", "statefulsets.apps"))


def _fields(*names: str) -> Mapping[str, FieldOf]:
    return {name: path(*name.split(".")) for name in names}


EVENT_FIELDS = _fields(
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "type",
)
NEW_EVENT_FIELDS = {
    **{name.replace("involvedObject", "regarding"): read for name, read in EVENT_FIELDS.items() if "." in name},
    "reportingController": path("reportingComponent"),
}
"""The same fields by the names that events.k8s.io gives them."""
FIELDS: Mapping[str, Mapping[str, FieldOf]] = {
    "pods": {
        **_fields("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
        **_fields("status.phase", "status.podIP", "status.nominatedNodeName"),
        "status.podIPs": lambda pod: "",  # upstream lets clients ask, and knows no answer
        "spec.hostNetwork": lambda pod: path("spec", "hostNetwork")(pod) or "false",
    },
    "nodes": {"spec.unschedulable": lambda node: path("spec", "unschedulable")(node) or "false"},
    "namespaces": _fields("status.phase"),
    "secrets": _fields("type"),
    "services": _fields("spec.clusterIP", "spec.type"),
    "events": {**EVENT_FIELDS, **NEW_EVENT_FIELDS, "source": event.source},
    "replicationcontrollers": {"status.replicas": lambda obj: path("status", "replicas")(obj) or "0"},
    "jobs.batch": {"status.successful": lambda obj: path("status", "succeeded")(obj) or "0"},
    "certificatesigningrequests.certificates.k8s.io": _fields("spec.signerName"),
    "clustertrustbundles.certificates.k8s.io": _fields("spec.signerName"),
    "podcertificaterequests.certificates.k8s.io": _fields("spec.signerName", "spec.podName", "spec.nodeName"),
    "resourceslices.resource.k8s.io": _fields("spec.nodeName", "spec.driver"),
}

UNNAMED_FIELDS: Mapping[str, frozenset[str]] = {
    "events": frozenset(NEW_EVENT_FIELDS),
    "events.events.k8s.io": frozenset(EVENT_FIELDS) - {"reason", "type"} | {"source"},
    "namespaces": frozenset(("metadata.namespace",)),
    "nodes": frozenset(("metadata.namespace",)),
    "certificatesigningrequests.certificates.k8s.io": frozenset(("metadata.namespace",)),
    "clustertrustbundles.certificates.k8s.io": frozenset(("metadata.namespace",)),
    "resourceslices.resource.k8s.io": frozenset(("metadata.namespace",)),
}
"""Fields that selectors of a resource may not name, though its objects have them."""

STRATEGIES: Mapping[str, type[KindStrategy]] = {
    "pods": PodStrategy,
    "services": ServiceStrategy,
    "namespaces": NamespaceStrategy,
    "nodes": NodeStrategy,
    "secrets": SecretStrategy,
    "serviceaccounts": ServiceAccountStrategy,
    "events": EventStrategy,
    "persistentvolumes": VolumeStrategy,
    "persistentvolumeclaims": ClaimStrategy,
    "limitranges": LimitRangeStrategy,
    "deployments.apps": DeploymentStrategy,
    "daemonsets.apps": DaemonSetStrategy,
    "jobs.batch": JobStrategy,
    "priorityclasses.scheduling.k8s.io": PriorityClassStrategy,
    "leases.coordination.k8s.io": LeaseStrategy,
    "csidrivers.storage.k8s.io": CSIDriverStrategy,
    "endpointslices.discovery.k8s.io": EndpointSliceStrategy,
    "resourceclaims.resource.k8s.io": DeviceClaimStrategy,
    "resourceclaimtemplates.resource.k8s.io": DeviceClaimStrategy,
    "resourceslices.resource.k8s.io": ResourceSliceStrategy,
    "roles.rbac.authorization.k8s.io": RoleStrategy,
    "clusterroles.rbac.authorization.k8s.io": RoleStrategy,
    "rolebindings.rbac.authorization.k8s.io": BindingStrategy,
    "clusterrolebindings.rbac.authorization.k8s.io": BindingStrategy,
    "certificatesigningrequests.certificates.k8s.io": CertificateRequestStrategy,
    "apiservices.apiregistration.k8s.io": APIServiceStrategy,
}
PARTS: Mapping[str, Mapping[str, Part]] = {
    "pods": {
        "status": PodStatus(),
        "ephemeralcontainers": EphemeralContainers(),
        "resize": Resize(),
        "binding": Assign(),
    },
    "namespaces": {"status": Part(), "finalize": Finalize()},
    "nodes": {"status": NodeStatus()},
    "persistentvolumes": {"status": VolumeStatus()},
    "deployments.apps": {"status": StatusWithoutLabels()},
    "jobs.batch": {"status": JobStatus()},
    "apiservices.apiregistration.k8s.io": {"status": UnlistedStatus()},
    "resourceclaims.resource.k8s.io": {"status": ClaimStatus()},
    "servicecidrs.networking.k8s.io": {"status": StatusOnly()},
    "validatingadmissionpolicies.admissionregistration.k8s.io": {"status": StatusOnly()},
    "volumeattachments.storage.k8s.io": {"status": StatusOnly()},
    "flowschemas.flowcontrol.apiserver.k8s.io": {"status": StatusAlone()},
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {"status": StatusAlone()},
    "certificatesigningrequests.certificates.k8s.io": {"status": CertificateStatus(), "approval": Approval()},
}
ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "pods": {
        "binding": BindingAction(),
        "eviction": EvictionAction(),
        "log": LogAction(),
        "exec": ExecAction(),
        "attach": AttachAction(),
        "portforward": PortForwardAction(),
        "proxy": PodProxy(),
    },
    "services": {"proxy": ServiceProxy()},
    "nodes": {"proxy": NodeProxy()},
    "serviceaccounts": {"token": TokenAction()},
}
VIRTUAL: Mapping[str, Any] = {
    "bindings": BindingAction(),
    "subjectaccessreviews.authorization.k8s.io": AccessReview(),
    "selfsubjectaccessreviews.authorization.k8s.io": AccessReview(),
    "localsubjectaccessreviews.authorization.k8s.io": AccessReview(),
    "selfsubjectrulesreviews.authorization.k8s.io": RulesReview(),
    "selfsubjectreviews.authentication.k8s.io": SelfReview(),
    "tokenreviews.authentication.k8s.io": TokenReview(),
}


def strategy_of(resource: Resource) -> Strategy:
    """The strategy of a built-in resource."""
    name = resource.group_resource
    parts = dict(PARTS.get(name) or {"status": Part()})
    if name in SCALABLE:
        parts["scale"] = Scale()
    return STRATEGIES.get(name, KindStrategy)(
        resource,
        parts=parts,
        actions=ACTIONS.get(name, {}),
        virtual=VIRTUAL.get(name),
        unconditional_update=name not in VERSIONED_UPDATES,
        tracks_generation=name in GENERATION or resource.group in SPECIAL_GROUPS,
        create_on_update=name in CREATED_BY_UPDATE,
        returns_deleted=name in RETURNS_DELETED,
        orphans_dependents=name in ORPHANS_DEPENDENTS,
        fields=FIELDS.get(name, {}),
        unnamed=UNNAMED_FIELDS,
    )
