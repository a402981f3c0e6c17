"""A pod template as messages show it: every field of upstream's own structures, in their order, absent ones too."""

from __future__ import annotations

from typing import Any, Final

from pybernetes.api.tree import Tree
from pybernetes.api.validation import structures
from pybernetes.api.validation.common import shown_map
from pybernetes.api.validation.pod.internal_parts import PARTS
from pybernetes.api.validation.pod.internal_volumes import VOLUMES
from pybernetes.api.validation.structures import Structures, structure

_STRUCTURES: Final[Structures] = {
    "PodSpec": structure("""
        Volumes>Volume InitContainers>Container Containers>Container EphemeralContainers>EphemeralContainer RestartPolicy:s
        TerminationGracePeriodSeconds ActiveDeadlineSeconds DNSPolicy=dnsPolicy:s NodeSelector ServiceAccountName:s
        AutomountServiceAccountToken NodeName:s SecurityContext>PodSecurityContext ImagePullSecrets>Named Hostname:s
        Subdomain:s SetHostnameAsFQDN Affinity>Affinity SchedulerName:s Tolerations>Toleration HostAliases>HostAlias PriorityClassName:s
        Priority PreemptionPolicy DNSConfig=dnsConfig>DNSConfig ReadinessGates>ReadinessGate RuntimeClassName Overhead EnableServiceLinks
        TopologySpreadConstraints>Spread OS=os>Named SchedulingGates>Named ResourceClaims>PodResourceClaim Resources>Resources HostnameOverride SchedulingGroup
    """),
    "Container": structure("""
        Name:s Image:s Command Args WorkingDir:s Ports>ContainerPort EnvFrom>EnvFrom Env>EnvVar Resources>Resources ResizePolicy>ResizePolicy
        RestartPolicy RestartPolicyRules>RestartRule VolumeMounts>VolumeMount VolumeDevices>VolumeDevice LivenessProbe>Probe ReadinessProbe>Probe
        StartupProbe>Probe Lifecycle>Lifecycle TerminationMessagePath:s TerminationMessagePolicy:s ImagePullPolicy:s
        SecurityContext>SecurityContext Stdin:b StdinOnce:b TTY=tty:b
    """),
    "PodSecurityContext": structure("""
        HostNetwork:b HostPID=hostPID:b HostIPC=hostIPC:b ShareProcessNamespace HostUsers SELinuxOptions=seLinuxOptions>SELinux
        WindowsOptions>Windows RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups SupplementalGroupsPolicy FSGroup=fsGroup
        FSGroupChangePolicy=fsGroupChangePolicy Sysctls>Sysctl SeccompProfile>Profile AppArmorProfile>Profile
        SELinuxChangePolicy=seLinuxChangePolicy
    """),
    "SecurityContext": structure("""
        Capabilities>Capabilities Privileged SELinuxOptions=seLinuxOptions>SELinux WindowsOptions>Windows RunAsUser RunAsGroup
        RunAsNonRoot ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount SeccompProfile>Profile AppArmorProfile>Profile
    """),
    "Capabilities": structure("Add Drop"),
    "Resources": structure("Limits Requests Claims>ResourceClaim"),
    "ContainerPort": structure("Name:s HostPort:n ContainerPort:n Protocol:s HostIP=hostIP:s"),
    "EnvVar": structure("Name:s Value:s ValueFrom>EnvVarSource"),
    "VolumeMount": structure(
        "Name:s ReadOnly:b RecursiveReadOnly MountPath:s SubPath:s MountPropagation SubPathExpr:s"
    ),
    "Toleration": structure("Key:s Operator:s Value:s Effect:s TolerationSeconds"),
    **PARTS,
    **VOLUMES,
}

# What a pod's spec says itself, and upstream keeps in the security context.
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


def shown_template(template: Tree) -> Tree:
    """A template in its internal form. What has no table here is shown in its JSON form."""
    shown: Tree = {}
    for name in ("labels", "annotations"):
        if (template.get("metadata") or {}).get(name):
            shown[name] = shown_map(template["metadata"][name])
    spec = template["spec"]
    host = {name: spec[name] for name in _HOST_FIELDS if name in spec}
    context = {**(spec.get("securityContext") or {}), **host}
    return {**shown, "Spec": shown_struct({**spec, "securityContext": context}, "PodSpec")}


def shown_struct(value: Any, name: str) -> Any:
    """A value, or a list of values, of one of a pod's structures."""
    return structures.shown_struct(value, name, _STRUCTURES)
