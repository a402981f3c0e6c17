"""PodSecurity: namespaces say by labels which level their pods are held to."""

from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.admit.pod_security.levels import LABEL, policy
from pybernetes.apiserver.stages.admit.pod_security.namespaces import check_namespace
from pybernetes.apiserver.stages.admit.pod_security.versions import violations
from pybernetes.apiserver.stages.objects import Objects

TEMPLATES = {
    "replicationcontrollers": ("spec", "template"),
    "podtemplates": ("template",),
    "replicasets.apps": ("spec", "template"),
    "deployments.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}


class PodSecurity(Plugin):
    """`enforce` refuses pods; `warn` warns of pods and of templates whose pods would be refused."""

    name = "PodSecurity"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(("namespaces", "pods", *TEMPLATES))
    subresources = frozenset(("", "ephemeralcontainers"))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def validate(self, attributes: Attributes) -> None:
        if attributes.resource.group_resource == "namespaces":
            if not attributes.subresource and attributes.object is not None:
                check_namespace(attributes, self._objects)
            return
        namespace = self._objects.get("", "namespaces", "", attributes.namespace)
        labels = (namespace or {}).get("metadata", {}).get("labels") or {}
        if attributes.object is None or not any(key.startswith(LABEL) for key in labels):
            return
        is_pod = attributes.resource.plural == "pods"
        pod = _pod(attributes)
        if not pod.get("spec") or (is_pod and attributes.old is not None and not _is_significant(attributes)):
            return
        level, version = policy(labels, "enforce")
        found = violations(level, version, pod)
        told = attributes.ctx.audit
        if is_pod:
            told[f"{LABEL}enforce-policy"] = f"{level}:{version}"
        if is_pod and found:
            raise refuse(attributes, f'violates PodSecurity "{level}:{version}": {", ".join(found)}')
        level, version = policy(labels, "warn")
        warned = violations(level, version, pod)
        if warned:
            attributes.ctx.warn(f'would violate PodSecurity "{level}:{version}": {", ".join(warned)}')
        level, version = policy(labels, "audit")
        audited = violations(level, version, pod)
        if audited:
            told[f"{LABEL}audit-violations"] = f'would violate PodSecurity "{level}:{version}": {", ".join(audited)}'


def _pod(attributes: Attributes) -> Tree:
    """The pod, or the template of those that the object makes."""
    found: Tree = attributes.object or {}
    for step in TEMPLATES.get(attributes.resource.group_resource, ()):
        found = found.get(step) or {}
    return found


def _is_significant(attributes: Attributes) -> bool:
    """Whether an update is looked at: by images and by containers that are new, as nothing else that counts can change."""
    new, old = ((tree or {}).get("spec") or {} for tree in (attributes.object, attributes.old))
    if any(_images(new, kind) != _images(old, kind) for kind in ("containers", "initContainers")):
        return True
    return not set(_images(new, "ephemeralContainers")) <= set(_images(old, "ephemeralContainers"))


def _images(spec: Tree, kind: str) -> list[tuple[str, str]]:
    return [(container["name"], container.get("image", "")) for container in spec.get(kind) or ()]
