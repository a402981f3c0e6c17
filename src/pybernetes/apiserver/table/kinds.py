"""Every kind's cells, by group and plural; those without a line here show name and creation time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pybernetes.api.tree import Tree
from pybernetes.apiserver.table import access, config, extension, network, pods, storage, workloads
from pybernetes.apiserver.table.column import Cells

CONDITIONS: Final[dict[tuple[str, str], Callable[[Tree], list[Tree]]]] = {("", "pods"): pods.row_conditions}
"""What a row says about its object besides the cells: kubectl leaves completed ones out on demand."""

ORDERS: Final[dict[tuple[str, str], Callable[[Tree], Any]]] = {
    ("flowcontrol.apiserver.k8s.io", "flowschemas"): extension.flow_schema_order
}
"""By what the rows of lists are sorted, where it is not the objects' names."""

KINDS: Final[dict[tuple[str, str], Cells]] = {
    ("", "componentstatuses"): config.component_status,
    ("", "configmaps"): config.config_map,
    ("", "endpoints"): network.endpoints,
    ("", "events"): config.event,
    ("", "namespaces"): config.namespace,
    ("", "nodes"): pods.node,
    ("", "persistentvolumeclaims"): storage.persistent_volume_claim,
    ("", "persistentvolumes"): storage.persistent_volume,
    ("", "pods"): pods.pod,
    ("", "podtemplates"): pods.pod_template,
    ("", "replicationcontrollers"): workloads.replication_controller,
    ("", "resourcequotas"): config.resource_quota,
    ("", "secrets"): config.secret,
    ("", "serviceaccounts"): config.name_and_age,
    ("", "services"): network.service,
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"): extension.mutating_policy,
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"): extension.policy_binding,
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): extension.webhook_configuration,
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): extension.validating_policy,
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): extension.policy_binding,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): extension.webhook_configuration,
    ("apiregistration.k8s.io", "apiservices"): extension.api_service,
    ("apps", "controllerrevisions"): workloads.controller_revision,
    ("apps", "daemonsets"): workloads.daemon_set,
    ("apps", "deployments"): workloads.deployment,
    ("apps", "replicasets"): workloads.replica_set,
    ("apps", "statefulsets"): workloads.stateful_set,
    ("autoscaling", "horizontalpodautoscalers"): workloads.horizontal_pod_autoscaler,
    ("batch", "cronjobs"): workloads.cron_job,
    ("batch", "jobs"): workloads.job,
    ("certificates.k8s.io", "certificatesigningrequests"): access.certificate_signing_request,
    ("coordination.k8s.io", "leases"): config.lease,
    ("discovery.k8s.io", "endpointslices"): network.endpoint_slice,
    ("events.k8s.io", "events"): config.event,
    ("flowcontrol.apiserver.k8s.io", "flowschemas"): extension.flow_schema,
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): extension.priority_level,
    ("networking.k8s.io", "ingressclasses"): network.ingress_class,
    ("networking.k8s.io", "ingresses"): network.ingress,
    ("networking.k8s.io", "ipaddresses"): network.ip_address,
    ("networking.k8s.io", "networkpolicies"): network.network_policy,
    ("networking.k8s.io", "servicecidrs"): network.service_cidr,
    ("node.k8s.io", "runtimeclasses"): config.runtime_class,
    ("policy", "poddisruptionbudgets"): workloads.pod_disruption_budget,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): access.binding,
    ("rbac.authorization.k8s.io", "rolebindings"): access.binding,
    ("resource.k8s.io", "deviceclasses"): config.name_and_age,
    ("resource.k8s.io", "resourceclaims"): config.resource_claim,
    ("resource.k8s.io", "resourceclaimtemplates"): config.name_and_age,
    ("resource.k8s.io", "resourceslices"): config.resource_slice,
    ("scheduling.k8s.io", "priorityclasses"): config.priority_class,
    ("storage.k8s.io", "csidrivers"): storage.csi_driver,
    ("storage.k8s.io", "csinodes"): storage.csi_node,
    ("storage.k8s.io", "storageclasses"): storage.storage_class,
    ("storage.k8s.io", "volumeattachments"): storage.volume_attachment,
    ("storage.k8s.io", "volumeattributesclasses"): storage.volume_attributes_class,
}
