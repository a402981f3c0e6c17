"""PodSecurity: namespaces say by labels which level their pods are held to."""

from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.admit.pod_security.checks import violations
from pybernetes.apiserver.stages.admit.pods import MIRROR
from pybernetes.apiserver.stages.objects import Objects

LABEL = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
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
    resources = frozenset(("pods", *TEMPLATES))
    subresources = frozenset(("", "ephemeralcontainers"))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def validate(self, attributes: Attributes) -> None:
        namespace = self._objects.get("", "namespaces", "", attributes.namespace)
        labels = (namespace or {}).get("metadata", {}).get("labels") or {}
        if attributes.object is None or not any(key.startswith(LABEL) for key in labels):
            return
        is_pod = attributes.resource.plural == "pods"
        spec = _pod_spec(attributes)
        if spec is None or (is_pod and attributes.old is not None and not _is_significant(attributes)):
            return
        level, version = _policy(labels, "enforce")
        found = violations(level, spec)
        told = attributes.ctx.audit
        if is_pod:
            told[f"{LABEL}enforce-policy"] = f"{level}:{version}"
        if is_pod and found:
            raise refuse(attributes, f'violates PodSecurity "{level}:{version}": {", ".join(found)}')
        level, version = _policy(labels, "warn")
        warned = violations(level, spec)
        if warned:
            attributes.ctx.warn(f'would violate PodSecurity "{level}:{version}": {", ".join(warned)}')
        level, version = _policy(labels, "audit")
        audited = violations(level, spec)
        if audited:
            told[f"{LABEL}audit-violations"] = f'would violate PodSecurity "{level}:{version}": {", ".join(audited)}'


def _policy(labels: dict[str, str], mode: str) -> tuple[str, str]:
    """Level and version; a level that is none is held to the strictest, as upstream does."""
    level = labels.get(LABEL + mode, "privileged")
    return (level if level in LEVELS else "restricted"), labels.get(f"{LABEL}{mode}-version", "latest")


def _pod_spec(attributes: Attributes) -> Tree | None:
    found: Tree | None = attributes.object
    for step in TEMPLATES.get(attributes.resource.group_resource, ()):
        found = (found or {}).get(step)
    return (found or {}).get("spec")


def _is_significant(attributes: Attributes) -> bool:
    """Whether an update changes what the checks look at: tolerations, deadlines and images do not count."""
    if attributes.subresource == "ephemeralcontainers":
        return True
    new, old = attributes.object or {}, attributes.old or {}
    was_mirror = MIRROR in (old["metadata"].get("annotations") or {})
    if was_mirror != (MIRROR in (new["metadata"].get("annotations") or {})):
        return True
    return _comparable(new) != _comparable(old)


def _comparable(pod: Tree) -> Tree:
    spec = {key: value for key, value in pod["spec"].items() if key not in ("tolerations", "activeDeadlineSeconds")}
    for kind in ("containers", "initContainers"):
        spec[kind] = [
            {key: value for key, value in container.items() if key != "image"} for container in spec.get(kind) or ()
        ]
    return spec
