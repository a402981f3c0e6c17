"""The plugins that are on, in upstream's order."""

from random import Random

from pybernetes.aio.tasks import Scope
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.registry.registry import Registry
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.stages.admit.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from pybernetes.apiserver.stages.admit.claim_status import ResourceClaimStatus
from pybernetes.apiserver.stages.admit.defaults import DefaultIngressClass
from pybernetes.apiserver.stages.admit.dynamic.plugins import (
    MutatingAdmissionPolicy,
    MutatingAdmissionWebhook,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionWebhook,
)
from pybernetes.apiserver.stages.admit.limit_ranger import LimitRanger
from pybernetes.apiserver.stages.admit.metrics import AdmissionMetrics
from pybernetes.apiserver.stages.admit.namespace_lifecycle import NamespaceLifecycle
from pybernetes.apiserver.stages.admit.node_restriction.plugin import NodeRestriction
from pybernetes.apiserver.stages.admit.nodes import DefaultTolerationSeconds, TaintNodesByCondition
from pybernetes.apiserver.stages.admit.plugin import Plugin, Plugins
from pybernetes.apiserver.stages.admit.pod_resize import PodResizeValidator
from pybernetes.apiserver.stages.admit.pod_security.plugin import PodSecurity
from pybernetes.apiserver.stages.admit.pod_topology_labels import PodTopologyLabels
from pybernetes.apiserver.stages.admit.priority import Priority
from pybernetes.apiserver.stages.admit.quota.plugin import ResourceQuota
from pybernetes.apiserver.stages.admit.runtime_class import RuntimeClass
from pybernetes.apiserver.stages.admit.service_account import ServiceAccount
from pybernetes.apiserver.stages.admit.storage import (
    DefaultStorageClass,
    PersistentVolumeClaimResize,
    StorageObjectInUseProtection,
)
from pybernetes.apiserver.stages.security import Security
from pybernetes.telemetry.metrics import Registry as Metrics


class StoredQuotaStatus:
    """`QuotaStatus` over the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def update(self, quota: Tree) -> None:
        resource = builtin("", "v1", "resourcequotas")
        await self._registry.update(resource, quota, subresource="status")


def make_plugins(
    options: Options,
    registry: ServedRegistry,
    security: Security,
    scope: Scope,
    metrics: Metrics,
    random: Random | None = None,
) -> Plugins:
    """All plugins but those of `--disable-admission-plugins`.

    NodeRestriction is among them: it holds for kubelets alone, and a cluster without it is open to each of its nodes.
    """
    objects, authorizer = security.objects, security.authorizer
    admission = AdmissionMetrics()
    admission.add_to(metrics)
    ordered: list[Plugin] = [
        NamespaceLifecycle(objects),
        LimitRanger(objects),
        ServiceAccount(objects, random or Random()),
        NodeRestriction(objects, authorizer),
        TaintNodesByCondition(),
        PodSecurity(objects),
        Priority(objects),
        DefaultTolerationSeconds(),
        DefaultStorageClass(objects),
        StorageObjectInUseProtection(),
        PersistentVolumeClaimResize(objects),
        RuntimeClass(objects),
        PodTopologyLabels(objects),
        PodResizeValidator(objects),
        CertificateApproval(authorizer),
        CertificateSigning(authorizer),
        ClusterTrustBundleAttest(authorizer),
        CertificateSubjectRestriction(),
        ResourceClaimStatus(authorizer),
        DefaultIngressClass(objects),
        MutatingAdmissionPolicy(objects, registry, authorizer, scope, admission),
        MutatingAdmissionWebhook(objects, registry, authorizer, scope, admission),
        ValidatingAdmissionPolicy(objects, registry, authorizer, scope, admission),
        ValidatingAdmissionWebhook(objects, registry, authorizer, scope, admission),
        ResourceQuota(objects, StoredQuotaStatus(registry)),
    ]
    return Plugins([plugin for plugin in ordered if plugin.name not in options.disable_admission_plugins], admission)
