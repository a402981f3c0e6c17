"""Containers: regular, init and ephemeral."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import one_of, port_number
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.environment import validate_env, validate_env_from
from pybernetes.api.validation.pod.mounts import validate_devices, validate_mounts
from pybernetes.api.validation.pod.probes import validate_lifecycle, validate_probes
from pybernetes.api.validation.pod.resources import claim_names, validate_container_resources
from pybernetes.api.validation.pod.security import validate_security_context
from pybernetes.api.validation.pod.windows import validate_windows_options

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_RESTART_ACTIONS = ("Restart", "RestartAllContainers")
_MAX_RULES, _MAX_CODES = 20, 255


class Surroundings(Struct, frozen=True):
    """What a container's rules look at beyond the container: the spec that it stands in, and its volumes by name."""

    spec: Tree
    volumes: dict[str, Tree]
    claims: frozenset[str]


def validate_containers(spec: Tree, volumes: dict[str, Tree], path: Path) -> Errors:
    """All containers of a spec; `volumes` are those that they may use, by name."""
    around = Surroundings(
        spec,
        volumes,
        claim_names(spec),
    )
    taken: set[str] = set()
    if not spec.get("containers"):
        yield field.required(path.child("containers"))
    for kind, rules in (("containers", _validate_regular), ("initContainers", _validate_init)):
        containers = spec.get(kind) or ()
        for index, container in enumerate(containers):
            at = path.child(kind).index(index)
            yield from _validate_common(container, around, at)
            yield from _validate_distinct(container["name"], taken, at)
            yield from rules(container, around, at)
        yield from _validate_host_ports(containers, path.child(kind))
    yield from _validate_ephemeral(spec, around, taken, path.child("ephemeralContainers"))


def _validate_distinct(name: str, taken: set[str], path: Path) -> Errors:
    if name and name in taken:
        yield field.duplicate(path.child("name"), name)
    taken.add(name)


def _validate_common(container: Tree, around: Surroundings, path: Path) -> Errors:
    if not container["name"]:
        yield field.required(path.child("name"))
    else:
        yield from complain(path.child("name"), container["name"], names.dns1123_label(container["name"]))
    if not container.get("image"):
        yield field.required(path.child("image"))
    yield from one_of(
        container.get("terminationMessagePolicy"), path.child("terminationMessagePolicy"), _MESSAGE_POLICIES
    )
    if ports := container.get("ports"):
        yield from validate_ports(ports, path.child("ports"))
    if env := container.get("env"):
        yield from validate_env(env, path.child("env"))
    if sources := container.get("envFrom"):
        yield from validate_env_from(sources, path.child("envFrom"))
    if container.get("volumeMounts"):
        yield from validate_mounts(container, around.volumes, path.child("volumeMounts"))
    if container.get("volumeDevices"):
        yield from validate_devices(container, around.volumes, path.child("volumeDevices"))
    yield from one_of(container.get("imagePullPolicy"), path.child("imagePullPolicy"), _PULL_POLICIES)
    if resources := container["resources"]:
        yield from validate_container_resources(resources, around.claims, path.child("resources"))
    if policies := container.get("resizePolicy"):
        yield from _validate_resize_policies(policies, around.spec.get("restartPolicy"), path.child("resizePolicy"))
    if context := container.get("securityContext"):
        yield from validate_security_context(context, around.spec, path.child("securityContext"))
        if options := context.get("windowsOptions"):
            yield from validate_windows_options(options, path.child("securityContext", "windowsOptions"))


def _validate_regular(container: Tree, around: Surroundings, path: Path) -> Errors:
    grace = around.spec.get("terminationGracePeriodSeconds") or 0
    yield from validate_lifecycle(container.get("lifecycle"), grace, path.child("lifecycle"))
    yield from validate_probes(container, grace, path)
    yield from _validate_restart_policy(container, path)
    yield from _validate_restart_rules(container, path)


def _validate_restart_policy(container: Tree, path: Path) -> Errors:
    policy = container.get("restartPolicy")
    if policy is not None and policy not in _RESTART_POLICIES:
        yield field.not_supported(path.child("restartPolicy"), policy, _RESTART_POLICIES)


def _validate_init(container: Tree, around: Surroundings, path: Path) -> Errors:
    """Init containers end, so they have no probes and hooks, unless they are sidecars."""
    grace = around.spec.get("terminationGracePeriodSeconds") or 0
    if container.get("restartPolicy") == "Always":
        yield from validate_lifecycle(container.get("lifecycle"), grace, path.child("lifecycle"))
        yield from validate_probes(container, grace, path)
        yield from _validate_restart_rules(container, path)
        return
    yield from _validate_restart_policy(container, path)
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield field.forbidden(path.child(name), "may not be set for init containers without restartPolicy=Always")
    yield from _validate_restart_rules(container, path)


def _validate_restart_rules(container: Tree, path: Path) -> Errors:
    rules = container.get("restartPolicyRules") or ()
    if rules and not container.get("restartPolicy"):
        yield field.required(path.child("restartPolicy"), "must specify restartPolicy when restart rules are used")
    if len(rules) > _MAX_RULES:
        yield field.too_many(path.child("restartPolicyRules"), len(rules), _MAX_RULES)
    for index, rule in enumerate(rules):
        at = path.child("restartPolicyRules").index(index)
        action = rule.get("action", "")
        if action not in _RESTART_ACTIONS:
            yield field.not_supported(at.child("action"), action, _RESTART_ACTIONS)
        codes = rule.get("exitCodes")
        if codes is None:
            yield field.required(at.child("exitCodes"), "must be specified")
            continue
        operator, values = codes.get("operator", ""), codes.get("values") or ()
        if operator not in ("In", "NotIn"):
            yield field.not_supported(at.child("exitCodes", "operator"), operator, ("In", "NotIn"))
        if len(values) > _MAX_CODES:
            yield field.too_many(at.child("exitCodes", "values"), len(values), _MAX_CODES)


_EPHEMERAL_FORBIDDEN = (
    "ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
)  # fmt: skip
_POINTERS = ("restartPolicy", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


def _validate_ephemeral(spec: Tree, around: Surroundings, taken: set[str], path: Path) -> Errors:
    targets = {container["name"] for kind in ("containers", "initContainers") for container in spec.get(kind) or ()}
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        at = path.index(index)
        yield from _validate_common(container, around, at)
        yield from _validate_distinct(container["name"], taken, at)
        target = container.get("targetContainerName")
        if target and target not in targets:
            yield field.not_found(at.child("targetContainerName"), target)
        for name in _EPHEMERAL_FORBIDDEN:
            if container.get(name) or (name in _POINTERS and container.get(name) is not None):
                yield field.forbidden(at.child(name), "cannot be set for an Ephemeral Container")
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            for name in ("subPath", "subPathExpr"):
                if mount.get(name):
                    place = at.child("volumeMounts").index(number).child(name)
                    yield field.forbidden(place, "cannot be set for an Ephemeral Container")


def validate_ports(ports: list[Tree], path: Path) -> Errors:
    taken: set[str] = set()
    for index, port in enumerate(ports):
        at = path.index(index)
        name = port.get("name")
        if name:
            complaints = names.port_name(name)
            yield from complain(at.child("name"), name, complaints)
            if not complaints and name in taken:
                yield field.duplicate(at.child("name"), name)
            taken.add(name)
        if not port["containerPort"]:
            yield field.required(at.child("containerPort"))
        else:
            yield from port_number(port["containerPort"], at.child("containerPort"))
        if port.get("hostPort"):
            yield from port_number(port["hostPort"], at.child("hostPort"))
        yield from one_of(port.get("protocol"), at.child("protocol"), _PROTOCOLS)


def _validate_host_ports(containers: Iterable[Tree], path: Path) -> Errors:
    """No two containers want the same port of the host."""
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort"):
                wanted = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
                if wanted in taken:
                    yield field.duplicate(path.index(index).child("ports").index(number).child("hostPort"), wanted)
                taken.add(wanted)


def _validate_resize_policies(policies: list[Tree], of_pod: str | None, path: Path) -> Errors:
    """Upstream names the list, but for entries that are there twice."""
    taken: set[str] = set()
    for index, policy in enumerate(policies):
        resource = policy.get("resourceName", "")
        if resource in taken:
            yield field.duplicate(path.index(index), resource)
        taken.add(resource)
        yield from one_of(resource, path, ("cpu", "memory"))
        restart = policy.get("restartPolicy")
        yield from one_of(restart, path, _RESIZE_POLICIES)
        if of_pod == "Never" and restart != "NotRequired":
            yield field.invalid(path, restart or "", "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
