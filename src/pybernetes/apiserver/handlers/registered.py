"""Which kinds upstream knows, beyond those that are served: its words for objects of them are others."""

from __future__ import annotations

from functools import cache
from typing import Final

from pybernetes.api.scheme import by_kind, resources, split_api_version

LEGACY: Final = "pkg/api/legacyscheme/scheme.go:30"
"""What upstream calls the scheme of all built-in kinds but two."""
_SCHEMES: Final = {
    "apiextensions.k8s.io": "k8s.io/apiextensions-apiserver/pkg/apiserver/apiserver.go:55",
    "apiregistration.k8s.io": "k8s.io/kube-aggregator/pkg/apiserver/scheme/scheme.go:28",
}
"""Groups that upstream serves by servers with schemes of their own, which know no other kinds."""
_FLOWS: Final = "FlowSchema PriorityLevelConfiguration"
_ROLES: Final = "Role RoleBinding ClusterRole ClusterRoleBinding"
_POLICIES: Final = (
    "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
)
_CLAIMS: Final = "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice"
_OLD: Final = {
    "admissionregistration.k8s.io/v1alpha1": _POLICIES,
    "admissionregistration.k8s.io/v1beta1": f"ValidatingWebhookConfiguration MutatingWebhookConfiguration {_POLICIES}",
    "admission.k8s.io/v1": "AdmissionReview",
    "admission.k8s.io/v1beta1": "AdmissionReview",
    "apiextensions.k8s.io/v1beta1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1beta1": "APIService",
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
    "imagepolicy.k8s.io/v1alpha1": "ImageReview",
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
    "v1": (
        "NodeProxyOptions PodAttachOptions PodExecOptions PodLogOptions PodPortForwardOptions PodProxyOptions "
        "PodStatusResult RangeAllocation SerializedReference ServiceProxyOptions"
    ),
}
"""Versions and kinds that are known and not served."""
_EVERYWHERE: Final = frozenset(
    [
        "CreateOptions",
        "DeleteOptions",
        "GetOptions",
        "ListOptions",
        "PatchOptions",
        "UpdateOptions",
        "Status",
        "WatchEvent",
    ]
)
"""Kinds that are registered in every group without a resource."""
_UNVERSIONED: Final = frozenset(["APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "Status"])
"""Kinds of "v1" that every scheme knows."""
_ALSO: Final = frozenset((("v1", "List"), ("meta.k8s.io/v1", "Status")))


def scheme_of(api_version: str) -> str:
    """What upstream calls, in messages, the scheme in which a group is."""
    return _SCHEMES.get(split_api_version(api_version)[0], LEGACY)


def is_registered(api_version: str, kind: str, scheme: str) -> bool:
    """Whether upstream's scheme knows the kind, served or not."""
    if api_version == "v1" and kind in _UNVERSIONED:
        return True
    if scheme_of(api_version) != scheme:
        return api_version == "v1" and kind in _EVERYWHERE
    name = kind.removesuffix("List")
    if name in _OLD.get(api_version, "").split() or by_kind(api_version, kind) is not None:
        return True
    if (
        (api_version, kind) in _ALSO
        or (api_version, kind) in _of_subresources()
        or (kind in _EVERYWHERE and api_version in _versions())
    ):
        return True
    return kind != name and by_kind(api_version, name) is not None


@cache
def _of_subresources() -> frozenset[tuple[str, str]]:
    return frozenset((part.api_version, part.kind) for one in resources() for part in one.subresources.values())


@cache
def _versions() -> frozenset[str]:
    return frozenset(resource.api_version for resource in resources()) | _OLD.keys()
