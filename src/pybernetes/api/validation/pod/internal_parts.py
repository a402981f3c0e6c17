"""Upstream's own structures of what stands in a pod's spec, as messages show them: names and order of fields are facts."""

from __future__ import annotations

from typing import Final

from pybernetes.api.validation.structures import NODE_SELECTOR, Structures, structure

_POD_TERMS: Final = structure("""
    RequiredDuringSchedulingIgnoredDuringExecution>PodTerm PreferredDuringSchedulingIgnoredDuringExecution>WeightedPodTerm
""")

PARTS: Final[Structures] = {
    **NODE_SELECTOR,
    "Named": structure("Name:s"),
    "EphemeralContainer": structure("""
        Name:s Image:s Command Args WorkingDir:s Ports>ContainerPort EnvFrom>EnvFrom Env>EnvVar Resources:o>Resources
        ResizePolicy>ResizePolicy RestartPolicy RestartPolicyRules>RestartRule VolumeMounts>VolumeMount
        VolumeDevices>VolumeDevice LivenessProbe>Probe ReadinessProbe>Probe StartupProbe>Probe Lifecycle>Lifecycle
        TerminationMessagePath:s TerminationMessagePolicy:s ImagePullPolicy:s SecurityContext>SecurityContext Stdin:b
        StdinOnce:b TTY=tty:b TargetContainerName:s
    """),
    "Probe": structure("""
        Exec>Exec HTTPGet=httpGet>HTTPGet TCPSocket=tcpSocket>TCPSocket GRPC=grpc>GRPC InitialDelaySeconds:n
        TimeoutSeconds:n PeriodSeconds:n SuccessThreshold:n FailureThreshold:n TerminationGracePeriodSeconds
    """),
    "Exec": structure("Command"),
    "HTTPGet": structure("Path:s Port Host:s Scheme:s HTTPHeaders=httpHeaders>Pair"),
    "TCPSocket": structure("Port Host:s"),
    "GRPC": structure("Port:n Service"),
    "Pair": structure("Name:s Value:s"),
    "Lifecycle": structure("PostStart>Hook PreStop>Hook StopSignal"),
    "Hook": structure("Exec>Exec HTTPGet=httpGet>HTTPGet TCPSocket=tcpSocket>TCPSocket Sleep>Sleep"),
    "Sleep": structure("Seconds:n"),
    "EnvFrom": structure("Prefix:s ConfigMapRef>OptionalName SecretRef>OptionalName"),
    "OptionalName": structure("Name:s Optional"),
    "EnvVarSource": structure("""
        FieldRef>FieldRef ResourceFieldRef>ResourceFieldRef ConfigMapKeyRef>KeyRef SecretKeyRef>KeyRef FileKeyRef>FileKeyRef
    """),
    "FieldRef": structure("APIVersion=apiVersion:s FieldPath:s"),
    "ResourceFieldRef": structure("ContainerName:s Resource:s Divisor"),
    "KeyRef": structure("Name:s Key:s Optional"),
    "FileKeyRef": structure("VolumeName:s Path:s Key:s Optional"),
    "ResizePolicy": structure("ResourceName:s RestartPolicy:s"),
    "RestartRule": structure("Action:s ExitCodes>ExitCodes"),
    "ExitCodes": structure("Operator:s Values"),
    "VolumeDevice": structure("Name:s DevicePath:s"),
    "ResourceClaim": structure("Name:s Request:s"),
    "PodResourceClaim": structure("Name:s ResourceClaimName ResourceClaimTemplateName"),
    "Affinity": structure("NodeAffinity>NodeAffinity PodAffinity>PodTerms PodAntiAffinity>PodTerms"),
    "NodeAffinity": structure("""
        RequiredDuringSchedulingIgnoredDuringExecution>NodeSelector
        PreferredDuringSchedulingIgnoredDuringExecution>PreferredNodes
    """),
    "PreferredNodes": structure("Weight:n Preference:o>NodeSelectorTerm"),
    "PodTerms": _POD_TERMS,
    "PodTerm": structure("LabelSelector Namespaces TopologyKey:s NamespaceSelector MatchLabelKeys MismatchLabelKeys"),
    "WeightedPodTerm": structure("Weight:n PodAffinityTerm:o>PodTerm"),
    "Spread": structure("""
        MaxSkew:n TopologyKey:s WhenUnsatisfiable:s LabelSelector MinDomains NodeAffinityPolicy NodeTaintsPolicy MatchLabelKeys
    """),
    "HostAlias": structure("IP=ip:s Hostnames"),
    "DNSConfig": structure("Nameservers Searches Options>DNSOption"),
    "DNSOption": structure("Name:s Value"),
    "ReadinessGate": structure("ConditionType:s"),
    "Profile": structure("Type:s LocalhostProfile"),
    "SELinux": structure("User:s Role:s Type:s Level:s"),
    "Windows": structure(
        "GMSACredentialSpecName=gmsaCredentialSpecName GMSACredentialSpec=gmsaCredentialSpec RunAsUserName HostProcess"
    ),
    "Sysctl": structure("Name:s Value:s"),
}
