"""Pod specs and pod templates."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.contents import by_content
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import MAX_INT32, one_of
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain, validate_annotations, validate_labels
from pybernetes.api.validation.pod.container import validate_containers
from pybernetes.api.validation.pod.dns import validate_dns, validate_host_aliases
from pybernetes.api.validation.pod.resources import (
    claim_names,
    validate_container_resource_name,
    validate_pod_resources,
    validate_requirements,
)
from pybernetes.api.validation.pod.scheduling import (
    validate_affinity,
    validate_gates,
    validate_tolerations,
    validate_topology_spread,
)
from pybernetes.api.validation.pod.security import validate_host_namespaces, validate_pod_security_context
from pybernetes.api.validation.pod.volumes import validate_volumes
from pybernetes.api.validation.pod.windows import validate_host_processes, validate_windows_options
from pybernetes.api.validation.structures import Structures, shown_struct, structure

MAX_HOSTNAME = 64
_CLAIM_SOURCES = ("resourceClaimName", "resourceClaimTemplateName")
_STRUCTURES: Structures = {"Claim": structure("Name:s ResourceClaimName ResourceClaimTemplateName")}
RESTART_POLICIES = ("Always", "OnFailure", "Never")

# A field of the spec whose value is a name -> the name's format.
_NAMES: dict[str, names.Check] = {
    "serviceAccountName": names.dns1123_subdomain,
    "nodeName": names.dns1123_subdomain,
    "hostname": names.dns1123_label,
    "subdomain": names.dns1123_label,
    "priorityClassName": names.dns1123_subdomain,
}


def validate_pod_spec(spec: Tree, path: Path) -> Errors:
    """A pod's spec, in a pod or in a template."""
    if not _is_sound(spec):
        yield from _spec_errors(spec, path)


@by_content
def _is_sound(spec: Tree) -> bool:
    return next(_spec_errors(spec, Path("spec")), None) is None


def _spec_errors(spec: Tree, path: Path) -> Errors:
    sound: dict[str, Tree] = {}
    if volumes := spec.get("volumes"):
        yield from validate_volumes(volumes, path.child("volumes"), sound)
    yield from validate_containers(spec, sound, path)
    yield from one_of(spec.get("restartPolicy"), path.child("restartPolicy"), RESTART_POLICIES)
    yield from validate_dns(spec, path)
    if labels := spec.get("nodeSelector"):
        yield from validate_labels(labels, path.child("nodeSelector"))
    context = spec.get("securityContext")
    if context:
        yield from validate_pod_security_context(context, spec, path.child("securityContext"))
        if options := context.get("windowsOptions"):
            yield from validate_windows_options(options, path.child("securityContext", "windowsOptions"))
    yield from validate_host_namespaces(spec, path)
    yield from validate_host_processes(spec, path)
    yield from _validate_names(spec, path)
    yield from _validate_placement(spec, path)
    yield from _validate_rest(spec, path)


def _validate_names(spec: Tree, path: Path) -> Errors:
    for name, check in _NAMES.items():
        value = spec.get(name)
        if value:
            yield from complain(path.child(name), value, check(value))
    runtime_class = spec.get("runtimeClassName")
    if runtime_class is not None:
        yield from complain(path.child("runtimeClassName"), runtime_class, names.dns1123_subdomain(runtime_class))
    if spec.get("hostnameOverride") is not None:
        yield from _validate_hostname_override(spec, path.child("hostnameOverride"))


def _validate_hostname_override(spec: Tree, path: Path) -> Errors:
    """KEP-4762."""
    name = spec["hostnameOverride"]
    for other in ("setHostnameAsFQDN", "hostNetwork"):
        if spec.get(other):
            yield field.forbidden(path, f"may not be specified when {other} is true")
    if len(name) > MAX_HOSTNAME:
        yield field.too_long(path, MAX_HOSTNAME)
    yield from complain(path, name, names.dns1123_subdomain(name))


def _validate_placement(spec: Tree, path: Path) -> Errors:
    if affinity := spec.get("affinity"):
        yield from validate_affinity(affinity, path.child("affinity"))
    if tolerations := spec.get("tolerations"):
        yield from validate_tolerations(tolerations, path.child("tolerations"))
    if constraints := spec.get("topologySpreadConstraints"):
        yield from validate_topology_spread(constraints, path.child("topologySpreadConstraints"))
    if gates := spec.get("schedulingGates"):
        yield from validate_gates(gates, path.child("schedulingGates"))


def _validate_rest(spec: Tree, path: Path) -> Errors:
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        at = path.child("readinessGates").index(index).child("conditionType")
        yield from complain(at, gate["conditionType"], names.qualified_name(gate["conditionType"]))
    if aliases := spec.get("hostAliases"):
        yield from validate_host_aliases(aliases, path.child("hostAliases"))
    seconds = spec.get("activeDeadlineSeconds")
    if seconds is not None and not 1 <= seconds <= MAX_INT32:
        detail = f"must be between 1 and {MAX_INT32}, inclusive"
        yield field.invalid(path.child("activeDeadlineSeconds"), seconds, detail)
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        yield from one_of(policy, path.child("preemptionPolicy"), ("PreemptLowerPriority", "Never"))
    if spec.get("resources"):
        yield from validate_pod_resources(spec, claim_names(spec), path.child("resources"))
    if overhead := spec.get("overhead"):
        yield from validate_requirements({"limits": overhead}, path.child("overhead"), validate_container_resource_name)
    if os := spec.get("os"):
        yield from _validate_os(os, path.child("os"))
    yield from _validate_resource_claims(spec.get("resourceClaims") or [], path.child("resourceClaims"))
    yield from _validate_variable_files(spec, path)


def _validate_variable_files(spec: Tree, path: Path) -> Errors:
    """Files of variables lie in emptyDir volumes (KEP-3721)."""
    volumes = {volume.get("name"): volume for volume in spec.get("volumes") or ()}
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            for place, variable in enumerate(container.get("env") or ()):
                ref = (variable.get("valueFrom") or {}).get("fileKeyRef")
                if ref is None:
                    continue
                at = (
                    path.child(kind)
                    .index(index)
                    .child("env")
                    .index(place)
                    .child("valueFrom", "fileKeyRef", "volumeName")
                )
                name = ref.get("volumeName", "")
                if name not in volumes:
                    yield field.not_found(at, name)
                elif volumes[name].get("emptyDir") is None:
                    yield field.invalid(at, name, "referenced volume must be of type emptyDir")


def _validate_os(os: Tree, path: Path) -> Errors:
    if not os["name"]:
        yield field.required(path.child("name"))
    elif os["name"] not in ("linux", "windows"):
        yield field.not_supported(path, os["name"], ("linux", "windows"))


def _validate_resource_claims(claims: list[Tree], path: Path) -> Errors:
    taken: set[str] = set()
    for index, claim in enumerate(claims):
        at = path.index(index)
        name = claim["name"]
        if not name:
            yield field.required(at.child("name"))
        elif name in taken:
            yield field.duplicate(at.child("name"), name)
        else:
            yield from complain(at.child("name"), name, names.dns1123_label(name))
        taken.add(name)
        told = [key for key in _CLAIM_SOURCES if claim.get(key) is not None]
        if len(told) != 1:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            if told:
                detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            yield field.invalid(at, shown_struct(claim, "Claim", _STRUCTURES), detail)
        for key in told:
            yield from complain(at.child(key), claim[key], names.dns1123_subdomain(claim[key]))


def validate_pod_template(template: Tree, path: Path) -> Errors:
    """The labels, annotations and spec of the pods to come."""
    metadata = template.get("metadata") or {}
    if labels := metadata.get("labels"):
        yield from validate_labels(labels, path.child("labels"))
    if annotations := metadata.get("annotations"):
        yield from validate_annotations(annotations, path.child("annotations"))
    yield from validate_pod_spec(template["spec"], path.child("spec"))
    if template["spec"].get("ephemeralContainers"):
        yield field.forbidden(
            path.child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template"
        )
