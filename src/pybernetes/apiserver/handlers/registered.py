"""Which kinds upstream knows, beyond those that are served: its words for objects of them are others."""

from __future__ import annotations

from functools import cache
from typing import Final

from pybernetes.api.scheme import by_kind, resources

_FLOWS: Final = "FlowSchema PriorityLevelConfiguration"
_ROLES: Final = "Role RoleBinding ClusterRole ClusterRoleBinding"
_POLICIES: Final = (
    "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
)
_CLAIMS: Final = "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice"
_OLD: Final = {
    "admissionregistration.k8s.io/v1alpha1": _POLICIES,
    "admissionregistration.k8s.io/v1beta1": f"ValidatingWebhookConfiguration MutatingWebhookConfiguration {_POLICIES}",
    "apps/v1beta1": "Deployment DeploymentRollback Scale StatefulSet ControllerRevision",
    "apps/v1beta2": "Deployment Scale StatefulSet DaemonSet ReplicaSet ControllerRevision",
    "authentication.k8s.io/v1alpha1": "SelfSubjectReview",
    "authentication.k8s.io/v1beta1": "SelfSubjectReview TokenReview",
    "authorization.k8s.io/v1beta1": "SelfSubjectRulesReview SelfSubjectAccessReview SubjectAccessReview LocalSubjectAccessReview",
    "batch/v1beta1": "CronJob",
    "certificates.k8s.io/v1alpha1": "ClusterTrustBundle",
    "certificates.k8s.io/v1beta1": "CertificateSigningRequest ClusterTrustBundle PodCertificateRequest",
    "coordination.k8s.io/v1alpha2": "LeaseCandidate",
    "coordination.k8s.io/v1beta1": "Lease LeaseCandidate",
    "discovery.k8s.io/v1beta1": "EndpointSlice",
    "events.k8s.io/v1beta1": "Event",
    "extensions/v1beta1": "Deployment DeploymentRollback Scale DaemonSet Ingress ReplicaSet NetworkPolicy",
    "flowcontrol.apiserver.k8s.io/v1beta1": _FLOWS,
    "flowcontrol.apiserver.k8s.io/v1beta2": _FLOWS,
    "flowcontrol.apiserver.k8s.io/v1beta3": _FLOWS,
    "networking.k8s.io/v1beta1": "Ingress IngressClass IPAddress ServiceCIDR",
    "node.k8s.io/v1alpha1": "RuntimeClass",
    "node.k8s.io/v1beta1": "RuntimeClass",
    "policy/v1beta1": "PodDisruptionBudget Eviction",
    "rbac.authorization.k8s.io/v1alpha1": _ROLES,
    "rbac.authorization.k8s.io/v1beta1": _ROLES,
    "resource.k8s.io/v1alpha3": "DeviceTaintRule ResourcePoolStatusRequest",
    "resource.k8s.io/v1beta1": _CLAIMS,
    "resource.k8s.io/v1beta2": f"{_CLAIMS} DeviceTaintRule",
    "scheduling.k8s.io/v1alpha2": "Workload PodGroup",
    "scheduling.k8s.io/v1beta1": "PriorityClass",
    "storage.k8s.io/v1alpha1": "VolumeAttachment CSIStorageCapacity VolumeAttributesClass",
    "storage.k8s.io/v1beta1": "StorageClass VolumeAttachment CSIDriver CSINode CSIStorageCapacity VolumeAttributesClass",
    "storagemigration.k8s.io/v1beta1": "StorageVersionMigration",
}
"""Versions that are known and not served, with their kinds."""
_EVERYWHERE: Final = frozenset(("DeleteOptions", "Status"))
"""Kinds that are registered in every group without a resource."""
_ALSO: Final = frozenset((("v1", "List"), ("autoscaling/v1", "Scale"), ("meta.k8s.io/v1", "Status")))


def is_registered(api_version: str, kind: str) -> bool:
    """Whether upstream knows the kind, served or not."""
    name = kind.removesuffix("List")
    if name in _OLD.get(api_version, "").split() or by_kind(api_version, kind) is not None:
        return True
    if (api_version, kind) in _ALSO or (kind in _EVERYWHERE and api_version in _versions()):
        return True
    return kind != name and by_kind(api_version, name) is not None


@cache
def _versions() -> frozenset[str]:
    return frozenset(resource.api_version for resource in resources()) | _OLD.keys()
