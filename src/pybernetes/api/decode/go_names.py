"""Fields whose Go type has a name of its own: errors tell the name in the place of `string` or `map[...]`.

Short definition -> field -> type; of a list it is the type of an element.
"""

from __future__ import annotations

from typing import Final

_RESOURCES = "v1.ResourceList"
_ACCESS = {"accessModes": "v1.PersistentVolumeAccessMode", "volumeMode": "v1.PersistentVolumeMode"}
_CONTAINER = {
    "imagePullPolicy": "v1.PullPolicy",
    "terminationMessagePolicy": "v1.TerminationMessagePolicy",
    "restartPolicy": "v1.ContainerRestartPolicy",
}
_AMOUNTS = {"limits": _RESOURCES, "requests": _RESOURCES}

_NAMES: Final[dict[str, dict[str, str]]] = {
    "v1.ObjectMeta": {"uid": "types.UID"},
    "v1.OwnerReference": {"uid": "types.UID"},
    "v1.LabelSelectorRequirement": {"operator": "v1.LabelSelectorOperator"},
    "core.v1.ObjectReference": {"uid": "types.UID"},
    "core.v1.PodSpec": {
        "restartPolicy": "v1.RestartPolicy",
        "dnsPolicy": "v1.DNSPolicy",
        "preemptionPolicy": "v1.PreemptionPolicy",
        "overhead": _RESOURCES,
    },
    "core.v1.Container": _CONTAINER,
    "core.v1.EphemeralContainer": _CONTAINER,
    "core.v1.ContainerPort": {"protocol": "v1.Protocol"},
    "core.v1.ServicePort": {"protocol": "v1.Protocol"},
    "core.v1.EndpointPort": {"protocol": "v1.Protocol"},
    "core.v1.HTTPGetAction": {"scheme": "v1.URIScheme"},
    "core.v1.VolumeMount": {
        "mountPropagation": "v1.MountPropagationMode",
        "recursiveReadOnly": "v1.RecursiveReadOnlyMode",
    },
    "core.v1.EmptyDirVolumeSource": {"medium": "v1.StorageMedium"},
    "core.v1.HostPathVolumeSource": {"type": "v1.HostPathType"},
    "core.v1.Toleration": {"operator": "v1.TolerationOperator", "effect": "v1.TaintEffect"},
    "core.v1.Taint": {"effect": "v1.TaintEffect"},
    "core.v1.TopologySpreadConstraint": {
        "whenUnsatisfiable": "v1.UnsatisfiableConstraintAction",
        "nodeAffinityPolicy": "v1.NodeInclusionPolicy",
        "nodeTaintsPolicy": "v1.NodeInclusionPolicy",
    },
    "core.v1.NodeSelectorRequirement": {"operator": "v1.NodeSelectorOperator"},
    "core.v1.SecurityContext": {"procMount": "v1.ProcMountType"},
    "core.v1.PodSecurityContext": {
        "fsGroupChangePolicy": "v1.PodFSGroupChangePolicy",
        "supplementalGroupsPolicy": "v1.SupplementalGroupsPolicy",
    },
    "core.v1.SeccompProfile": {"type": "v1.SeccompProfileType"},
    "core.v1.AppArmorProfile": {"type": "v1.AppArmorProfileType"},
    "core.v1.Capabilities": {"add": "v1.Capability", "drop": "v1.Capability"},
    "core.v1.ContainerResizePolicy": {
        "resourceName": "v1.ResourceName",
        "restartPolicy": "v1.ResourceResizeRestartPolicy",
    },
    "core.v1.ResourceRequirements": _AMOUNTS,
    "core.v1.VolumeResourceRequirements": _AMOUNTS,
    "core.v1.ServiceSpec": {
        "type": "v1.ServiceType",
        "sessionAffinity": "v1.ServiceAffinity",
        "ipFamilies": "v1.IPFamily",
        "ipFamilyPolicy": "v1.IPFamilyPolicy",
        "externalTrafficPolicy": "v1.ServiceExternalTrafficPolicy",
        "internalTrafficPolicy": "v1.ServiceInternalTrafficPolicy",
    },
    "core.v1.Secret": {"type": "v1.SecretType"},
    "core.v1.PersistentVolumeClaimSpec": _ACCESS,
    "core.v1.PersistentVolumeSpec": {
        **_ACCESS,
        "persistentVolumeReclaimPolicy": "v1.PersistentVolumeReclaimPolicy",
        "capacity": _RESOURCES,
    },
    "core.v1.ResourceQuotaSpec": {"hard": _RESOURCES, "scopes": "v1.ResourceQuotaScope"},
    "core.v1.LimitRangeItem": {
        "type": "v1.LimitType",
        "max": _RESOURCES,
        "min": _RESOURCES,
        "default": _RESOURCES,
        "defaultRequest": _RESOURCES,
        "maxLimitRequestRatio": _RESOURCES,
    },
    "core.v1.NamespaceSpec": {"finalizers": "v1.FinalizerName"},
    "core.v1.NamespaceStatus": {"phase": "v1.NamespacePhase"},
    "core.v1.NodeStatus": {"capacity": _RESOURCES, "allocatable": _RESOURCES, "phase": "v1.NodePhase"},
    "core.v1.PodStatus": {"phase": "v1.PodPhase", "qosClass": "v1.PodQOSClass"},
    "core.v1.PodCondition": {"type": "v1.PodConditionType", "status": "v1.ConditionStatus"},
    "apps.v1.DeploymentStrategy": {"type": "v1.DeploymentStrategyType"},
    "apps.v1.DaemonSetUpdateStrategy": {"type": "v1.DaemonSetUpdateStrategyType"},
    "apps.v1.StatefulSetUpdateStrategy": {"type": "v1.StatefulSetUpdateStrategyType"},
    "apps.v1.StatefulSetSpec": {"podManagementPolicy": "v1.PodManagementPolicyType"},
    "batch.v1.JobSpec": {
        "completionMode": "v1.CompletionMode",
        "podReplacementPolicy": "v1.PodReplacementPolicy",
    },
    "batch.v1.CronJobSpec": {"concurrencyPolicy": "v1.ConcurrencyPolicy"},
    "networking.v1.HTTPIngressPath": {"pathType": "v1.PathType"},
    "networking.v1.NetworkPolicySpec": {"policyTypes": "v1.PolicyType"},
    "networking.v1.NetworkPolicyPort": {"protocol": "v1.Protocol"},
    "autoscaling.v2.MetricSpec": {"type": "v2.MetricSourceType"},
    "autoscaling.v2.MetricTarget": {"type": "v2.MetricTargetType"},
    "autoscaling.v2.HPAScalingRules": {"selectPolicy": "v2.ScalingPolicySelect"},
    "autoscaling.v2.HPAScalingPolicy": {"type": "v2.HPAScalingPolicyType"},
    "policy.v1.PodDisruptionBudgetSpec": {"unhealthyPodEvictionPolicy": "v1.UnhealthyPodEvictionPolicyType"},
    "storage.v1.StorageClass": {
        "reclaimPolicy": "v1.PersistentVolumeReclaimPolicy",
        "volumeBindingMode": "v1.VolumeBindingMode",
    },
    "apiextensions.v1.CustomResourceDefinitionSpec": {"scope": "v1.ResourceScope"},
}


def named_types(definition: str) -> dict[str, str]:
    """Field -> type name, of a definition such as io.k8s.api.core.v1.Pod."""
    group, version, kind = definition.rsplit(".", 3)[1:]
    if group == "meta":
        return _NAMES.get(f"{version}.{kind}", {})
    return _NAMES.get(f"{group}.{version}.{kind}", {})


def with_name(wanted: str, name: str) -> str:
    """The type that an error tells for a field whose type, or whose elements' type, has a name."""
    return f"[]{name}" if wanted.startswith("[]") else name
