"""Security contexts: the container's own, over the pod's, over upstream's defaults. Pure."""

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.podspec import AnyContainer, full_name

MASKED_PATHS = ["/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]  # fmt: skip
READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


class ImageUser(Struct, frozen=True):
    """The user that the image names: a number, or a name that only the container's own files can resolve."""

    uid: int | None = None
    name: str = ""


def container_security(
    pod: v1.Pod,
    container: AnyContainer,
    image_user: ImageUser,
    target_id: str = "",
    users: t.UserNamespace | None = None,
) -> t.LinuxContainerSecurityContext:
    """What the runtime is to apply; `users` are the ids of the pod's own, if it has some.

    Raises ConfigError if the pod demands a user other than root and gets root.
    """
    own = container.security_context or v1.SecurityContext()
    shared = pod.spec.security_context or v1.PodSecurityContext()
    user = _first(own.run_as_user, shared.run_as_user)
    group = _first(own.run_as_group, shared.run_as_group)
    if _first(own.run_as_non_root, shared.run_as_non_root):
        _check_not_root(pod, container, user, image_user)
    run_as_user = image_user.uid if user is None else user
    privileged = bool(own.privileged)
    unmasked = privileged or own.proc_mount == "Unmasked"
    return t.LinuxContainerSecurityContext(
        capabilities=_capabilities(own),
        privileged=privileged,
        namespace_options=namespace_options(pod, target_id, users),
        selinux_options=_selinux(own.se_linux_options or shared.se_linux_options),
        run_as_user=None if run_as_user is None else t.Int64Value(value=run_as_user),
        run_as_username=image_user.name if run_as_user is None else "",
        run_as_group=None if group is None else t.Int64Value(value=group),
        readonly_rootfs=bool(own.read_only_root_filesystem),
        supplemental_groups=supplemental_groups(pod),
        supplemental_groups_policy=_groups_policy(shared),
        no_new_privs=own.allow_privilege_escalation is False,
        masked_paths=[] if unmasked else MASKED_PATHS,
        readonly_paths=[] if unmasked else READONLY_PATHS,
        seccomp=_seccomp(own.seccomp_profile or shared.seccomp_profile, privileged),
        apparmor=_apparmor(own.app_armor_profile or shared.app_armor_profile),
    )


def sandbox_security(pod: v1.Pod, users: t.UserNamespace | None = None) -> t.LinuxSandboxSecurityContext:
    """The pod's own part, for its sandbox."""
    shared = pod.spec.security_context or v1.PodSecurityContext()
    privileged = any(
        container.security_context and container.security_context.privileged
        for container in [*pod.spec.init_containers, *pod.spec.containers]
    )
    return t.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod, users=users),
        selinux_options=_selinux(shared.se_linux_options),
        run_as_user=None if shared.run_as_user is None else t.Int64Value(value=shared.run_as_user),
        run_as_group=None if shared.run_as_group is None else t.Int64Value(value=shared.run_as_group),
        supplemental_groups=supplemental_groups(pod),
        supplemental_groups_policy=_groups_policy(shared),
        privileged=bool(privileged),
        seccomp=t.SecurityProfile(profile_type=t.SecurityProfileProfileType.RuntimeDefault),
    )


def namespace_options(pod: v1.Pod, target_id: str = "", users: t.UserNamespace | None = None) -> t.NamespaceOption:
    """Which namespaces are the pod's, the container's, the node's, or another container's (ephemeral containers)."""
    node, shared = t.NamespaceMode.NODE, t.NamespaceMode.POD
    pid = t.NamespaceMode.CONTAINER
    if pod.spec.host_pid:
        pid = node
    elif pod.spec.share_process_namespace:
        pid = shared
    elif target_id:
        pid = t.NamespaceMode.TARGET
    return t.NamespaceOption(
        network=node if pod.spec.host_network else shared,
        pid=pid,
        ipc=node if pod.spec.host_ipc else shared,
        target_id=target_id if pid == t.NamespaceMode.TARGET else "",
        userns_options=users,
    )


def supplemental_groups(pod: v1.Pod) -> list[int]:
    """The groups every process of the pod has: those asked for, and the one that owns its volumes."""
    shared = pod.spec.security_context or v1.PodSecurityContext()
    groups = list(shared.supplemental_groups)
    if shared.fs_group is not None:
        groups.append(shared.fs_group)
    return groups


def _first(own: int | bool | None, shared: int | bool | None) -> int | bool | None:
    return shared if own is None else own


def _check_not_root(pod: v1.Pod, container: AnyContainer, user: int | None, image: ImageUser) -> None:
    where = f'(pod: "{full_name(pod)}", container: {container.name})'
    if user is not None:
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    if image.name:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.name}), "
            f"cannot verify user is non-root {where}"
        )
    if not image.uid:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def _capabilities(own: v1.SecurityContext) -> t.Capability | None:
    given = own.capabilities
    if given is None or not (given.add or given.drop):
        return None
    return t.Capability(add_capabilities=given.add, drop_capabilities=given.drop)


def _selinux(given: v1.SELinuxOptions | None) -> t.SELinuxOption | None:
    if given is None:
        return None
    return t.SELinuxOption(user=given.user or "", role=given.role or "", type=given.type or "", level=given.level or "")


def _groups_policy(shared: v1.PodSecurityContext) -> t.SupplementalGroupsPolicy:
    strict = shared.supplemental_groups_policy == "Strict"
    return t.SupplementalGroupsPolicy.Strict if strict else t.SupplementalGroupsPolicy.Merge


def _seccomp(given: v1.SeccompProfile | None, privileged: bool) -> t.SecurityProfile:
    """Unconfined unless asked for, as upstream's default is."""
    kinds = t.SecurityProfileProfileType
    if given is None or privileged:
        return t.SecurityProfile(profile_type=kinds.Unconfined)
    match given.type:
        case "RuntimeDefault":
            return t.SecurityProfile(profile_type=kinds.RuntimeDefault)
        case "Localhost":
            return t.SecurityProfile(profile_type=kinds.Localhost, localhost_ref=given.localhost_profile or "")
        case _:
            return t.SecurityProfile(profile_type=kinds.Unconfined)


def _apparmor(given: v1.AppArmorProfile | None) -> t.SecurityProfile | None:
    if given is None:
        return None
    kind = t.SecurityProfileProfileType[given.type]
    return t.SecurityProfile(profile_type=kind, localhost_ref=given.localhost_profile or "")
