"""The checks: each says what of a pod is forbidden, as (short reason, detail). Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.admit.pods import containers

Finding: TypeAlias = tuple[str, str]
Check: TypeAlias = Callable[[Tree], Finding | None]
"""Takes the spec of a pod."""
MetadataCheck: TypeAlias = Callable[[Tree, Tree], Finding | None]
"""Takes the metadata of a pod, too: what has a field now had an annotation once."""

BASELINE_CAPABILITIES: Final = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
SAFE_SYSCTLS: Final = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
"""And the minor version from which each is safe."""
SELINUX_TYPES: Final = {"container_t": 0, "container_init_t": 0, "container_kvm_t": 0, "container_engine_t": 31}
SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
APPARMOR_CONTAINER: Final = "container.apparmor.security.beta.kubernetes.io/"
RESTRICTED_VOLUMES: Final = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
        "image",
    )
)
SECCOMP: Final = ("RuntimeDefault", "Localhost")


def listed(words: Sequence[str], noun: str = "container") -> str:
    """`container "a"`, `containers "a", "b"`."""
    names = ", ".join(f'"{word}"' for word in words)
    return f"{noun}{'s' if len(words) > 1 else ''} {names}"


def _security(container: Tree) -> Tree:
    context: Tree = container.get("securityContext") or {}
    return context


def _pod_security(spec: Tree) -> Tree:
    context: Tree = spec.get("securityContext") or {}
    return context


def _names(spec: Tree, wrong: Callable[[Tree], bool]) -> list[str]:
    return [container["name"] for container in containers(spec) if wrong(container)]


# -- baseline


def privileged(spec: Tree) -> Finding | None:
    bad = _names(spec, lambda container: bool(_security(container).get("privileged")))
    return ("privileged", f"{listed(bad)} must not set securityContext.privileged=true") if bad else None


def host_namespaces(spec: Tree) -> Finding | None:
    bad = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return ("host namespaces", ", ".join(bad)) if bad else None


def host_path(spec: Tree) -> Finding | None:
    bad = [volume["name"] for volume in spec.get("volumes") or () if "hostPath" in volume]
    return ("hostPath volumes", listed(bad, "volume")) if bad else None


def host_ports(spec: Tree) -> Finding | None:
    bad: list[str] = []
    ports: set[int] = set()
    for container in containers(spec):
        own = {port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")}
        if own:
            bad.append(container["name"])
            ports |= own
    if not bad:
        return None
    numbers = ", ".join(str(port) for port in sorted(ports))
    uses = "use" if len(bad) > 1 else "uses"
    return "hostPort", f"{listed(bad)} {uses} hostPort{'s' if len(ports) > 1 else ''} {numbers}"


def capabilities(spec: Tree) -> Finding | None:
    bad: list[str] = []
    added: set[str] = set()
    for container in containers(spec):
        wrong = set((_security(container).get("capabilities") or {}).get("add") or ()) - BASELINE_CAPABILITIES
        if wrong:
            bad.append(container["name"])
            added |= wrong
    if not bad:
        return None
    names = ", ".join(f'"{name}"' for name in sorted(added))
    return "non-default capabilities", f"{listed(bad)} must not include {names} in securityContext.capabilities.add"


def in_own_users(check: Check) -> Check:
    """The check, of pods that share the users of their host: root of a user namespace is nobody outside."""
    return lambda spec: None if spec.get("hostUsers") is False else check(spec)


def of_linux(check: Check) -> Check:
    """The check, of pods that are not meant for Windows, which knows no such field."""
    return lambda spec: None if (spec.get("os") or {}).get("name") == "windows" else check(spec)


def proc_mount(spec: Tree) -> Finding | None:
    bad = _names(spec, lambda container: _security(container).get("procMount", "Default") != "Default")
    if not bad:
        return None
    types = sorted({_security(container)["procMount"] for container in containers(spec) if container["name"] in bad})
    return "procMount", f"{listed(bad)} must not set securityContext.procMount to " + ", ".join(f'"{t}"' for t in types)


def sysctls(minor: int) -> Check:
    def check(spec: Tree) -> Finding | None:
        names = [entry["name"] for entry in _pod_security(spec).get("sysctls") or ()]
        bad = [name for name in names if SAFE_SYSCTLS.get(name, minor + 1) > minor]
        return ("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


def seccomp_annotations(spec: Tree, metadata: Tree) -> Finding | None:
    annotations = metadata.get("annotations") or {}
    keys = [SECCOMP_POD, *(SECCOMP_CONTAINER + container["name"] for container in containers(spec))]
    bad = sorted(
        f"{key}={quote(annotations[key])}"
        for key in keys
        if key in annotations
        and annotations[key] not in ("runtime/default", "docker/default")
        and not annotations[key].startswith("localhost/")
    )
    return ("seccompProfile", f"forbidden annotation{'s' * (len(bad) > 1)} {', '.join(bad)}") if bad else None


def seccomp_baseline(spec: Tree) -> Finding | None:
    def unconfined(context: Tree) -> bool:
        return (context.get("seccompProfile") or {}).get("type") == "Unconfined"

    bad = _names(spec, lambda container: unconfined(_security(container)))
    owners = (["pod"] if unconfined(_pod_security(spec)) else []) + ([listed(bad)] if bad else [])
    if not owners:
        return None
    return "seccompProfile", f'{" and ".join(owners)} must not set securityContext.seccompProfile.type to "Unconfined"'


def selinux(minor: int) -> Check:
    def is_wrong(context: Tree) -> bool:
        options = context.get("seLinuxOptions") or {}
        return bool(_wrong_type(options) or options.get("user") or options.get("role"))

    def _wrong_type(options: Tree) -> str:
        kind: str = options.get("type") or ""
        return kind if kind and SELINUX_TYPES.get(kind, minor + 1) > minor else ""

    def check(spec: Tree) -> Finding | None:
        bad = _names(spec, lambda container: is_wrong(_security(container)))
        owners = (["pod"] if is_wrong(_pod_security(spec)) else []) + ([listed(bad)] if bad else [])
        if not owners:
            return None
        found = [_pod_security(spec), *(_security(container) for container in containers(spec))]
        options = [context.get("seLinuxOptions") or {} for context in found]
        kinds = sorted({kind for each in options if (kind := _wrong_type(each))})
        data = [listed(kinds, "type")] if kinds else []
        data += [f"{name} may not be set" for name in ("user", "role") if any(each.get(name) for each in options)]
        words = f"{' and '.join(owners)} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"
        return "seLinuxOptions", words

    return check


def apparmor(spec: Tree, metadata: Tree) -> Finding | None:
    def unconfined(context: Tree) -> bool:
        return (context.get("appArmorProfile") or {}).get("type") == "Unconfined"

    bad = _names(spec, lambda container: unconfined(_security(container)))
    owners = (["pod"] if unconfined(_pod_security(spec)) else []) + ([listed(bad)] if bad else [])
    values = ["Unconfined"] if owners else []
    told = sorted(
        f"{key}={quote(value)}"
        for key, value in (metadata.get("annotations") or {}).items()
        if key.startswith(APPARMOR_CONTAINER)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    if told:
        owners.append("annotations" if len(told) > 1 else "annotation")
        values += told
    if not owners:
        return None
    shown = ", ".join(f'"{value}"' for value in values)
    reason = f"forbidden AppArmor profile{'s' * (len(values) > 1)}"
    return reason, f"{' and '.join(owners)} must not set AppArmor profile type to {shown}"


def host_process(spec: Tree) -> Finding | None:
    def wanted(context: Tree) -> bool:
        return bool((context.get("windowsOptions") or {}).get("hostProcess"))

    bad = _names(spec, lambda container: wanted(_security(container)))
    owners = (["pod"] if wanted(_pod_security(spec)) else []) + ([listed(bad)] if bad else [])
    if not owners:
        return None
    return "hostProcess", f"{' and '.join(owners)} must not set securityContext.windowsOptions.hostProcess=true"


def probe_hosts(spec: Tree) -> Finding | None:
    bad = sorted(set(_names(spec, lambda container: any(handler.get("host") for handler in _handlers(container)))))
    if not bad:
        return None
    hosts = sorted({one["host"] for container in containers(spec) for one in _handlers(container) if one.get("host")})
    uses = "use" if len(bad) > 1 else "uses"
    return "probe or lifecycle host", f"{listed(bad)} {uses} {listed(hosts, 'probe or lifecycle host')}"


def _handlers(container: Tree) -> Iterator[Tree]:
    probes = [container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    hooks = [(container.get("lifecycle") or {}).get(name) for name in ("postStart", "preStop")]
    for source in (*probes, *hooks):
        for kind in ("httpGet", "tcpSocket"):
            if source and source.get(kind):
                yield source[kind]


# -- restricted


def privilege_escalation(spec: Tree) -> Finding | None:
    bad = _names(spec, lambda container: _security(container).get("allowPrivilegeEscalation") is not False)
    if not bad:
        return None
    return "allowPrivilegeEscalation != false", f"{listed(bad)} must set securityContext.allowPrivilegeEscalation=false"


def dropped_capabilities(spec: Tree) -> Finding | None:
    keeping: list[str] = []
    adding: list[str] = []
    added: set[str] = set()
    for container in containers(spec):
        own = _security(container).get("capabilities") or {}
        if "ALL" not in (own.get("drop") or ()):
            keeping.append(container["name"])
        wrong = set(own.get("add") or ()) - {"NET_BIND_SERVICE"}
        if wrong:
            adding.append(container["name"])
            added |= wrong
    details = [f'{listed(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    if adding:
        names = ", ".join(f'"{name}"' for name in sorted(added))
        details.append(f"{listed(adding)} must not include {names} in securityContext.capabilities.add")
    return ("unrestricted capabilities", "; ".join(details)) if details else None


def volume_types(spec: Tree) -> Finding | None:
    bad: list[str] = []
    kinds: set[str] = set()
    for volume in spec.get("volumes") or ():
        wrong = set(volume) - {"name"} - RESTRICTED_VOLUMES
        if wrong:
            bad.append(volume["name"])
            kinds |= wrong
    if not bad:
        return None
    names = ", ".join(f'"{kind}"' for kind in sorted(kinds))
    uses = "use" if len(bad) > 1 else "uses"
    return (
        "restricted volume types",
        f"{listed(bad, 'volume')} {uses} restricted volume type{'s' if len(kinds) > 1 else ''} {names}",
    )


def run_as_non_root(spec: Tree) -> Finding | None:
    pod = _pod_security(spec).get("runAsNonRoot")
    explicit = _names(spec, lambda container: _security(container).get("runAsNonRoot") is False)
    owners = (["pod"] if pod is False else []) + ([listed(explicit)] if explicit else [])
    if owners:
        return "runAsNonRoot != true", f"{' and '.join(owners)} must not set securityContext.runAsNonRoot=false"
    silent = _names(spec, lambda container: _security(container).get("runAsNonRoot") is None)
    if pod or not silent:
        return None
    return "runAsNonRoot != true", f"pod or {listed(silent)} must set securityContext.runAsNonRoot=true"


def run_as_user(spec: Tree) -> Finding | None:
    bad = _names(spec, lambda container: _security(container).get("runAsUser") == 0)
    owners = (["pod"] if _pod_security(spec).get("runAsUser") == 0 else []) + ([listed(bad)] if bad else [])
    return ("runAsUser=0", f"{' and '.join(owners)} must not set runAsUser=0") if owners else None


def seccomp_restricted(spec: Tree) -> Finding | None:
    def kind(context: Tree) -> str | None:
        found: str | None = (context.get("seccompProfile") or {}).get("type")
        return found

    pod = kind(_pod_security(spec))
    if (pod is not None and pod not in SECCOMP) or any(
        kind(_security(container)) not in (None, *SECCOMP) for container in containers(spec)
    ):
        return seccomp_baseline(spec)
    silent = _names(spec, lambda container: kind(_security(container)) is None)
    if pod is not None or not silent:
        return None
    words = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return "seccompProfile", f"pod or {listed(silent)} {words}"
