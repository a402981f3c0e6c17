"""Pods that no node takes."""

from __future__ import annotations

from tests.badcases.cases.case import Case
from tests.badcases.manifests import deployment, limits, plain, pod, requests

GPUS = plain(
    "DeviceClass", "badcase-gpu", "resource.k8s.io/v1",
    spec={"selectors": [{"cel": {"expression": "device.driver == 'badcase.test'"}}]},
)  # fmt: skip
SLICE = plain(
    "ResourceSlice", "badcase-gpu", "resource.k8s.io/v1",
    spec={
        "driver": "badcase.test",
        "allNodes": True,
        "pool": {"name": "badcase", "resourceSliceCount": 1},
        "devices": [{"name": "gpu"}],
    },
)  # fmt: skip
GPU = plain(
    "ResourceClaim", "gpu", "resource.k8s.io/v1",
    spec={"devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": "badcase-gpu"}}]}},
)  # fmt: skip

SCHEDULING = (
    Case(
        "device-plugin",
        (pod(**limits(**{"badcase.test/gpu": "1"})),),
        "pod/web",
        r"no node has badcase\.test/gpu: the device plugin that would announce it is not there",
        r"1 Insufficient badcase\.test/gpu\.",
    ),
    Case(
        "device-driver",
        (GPUS, SLICE, GPU, pod(spec={"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]})),
        "pod/web",
        r"driver badcase\.test of its devices is not registered on node \S+",
        r"Failed to prepare dynamic resources: prepare dynamic resources: DRA driver badcase\.test is not registered",
        r"does its kubelet plugin run there\?",
    ),
    Case(
        "cpu",
        (deployment(**requests(cpu="500")),),
        "deployment/web",
        r"it asks for 500 cpu; the largest node has \d+\w* in all",
        r"0/1 nodes are available: 1 Insufficient cpu\.",
        r"set resources deployment/web -n cpu --requests=cpu=\d+m?$",
    ),
    Case(
        "memory",
        (pod(**requests(memory="900Ti")),),
        "pod/web",
        r"it asks for 900Ti memory; the largest node has",
        r"1 Insufficient memory\.",
        r"ask for [\d.]+Gi at most in the manifest of pod/web",
    ),
    Case(
        "node-selector",
        (pod(spec={"nodeSelector": {"kubernetes.io/os": "linus"}}),),
        "pod/web",
        r"no node has label kubernetes\.io/os=linus; nodes have kubernetes\.io/os=linux",
        r"1 node\(s\) didn't match Pod's node affinity/selector",
    ),
    Case(
        "host-port",
        (
            pod("first", ports=[{"containerPort": 80, "hostPort": 18080}]),
            pod("second", ports=[{"containerPort": 80, "hostPort": 18080}]),
        ),
        "pod/second",
        r"hostPort 18080 is taken on every node; pod/first -n host-port has it",
        r"1 node\(s\) didn't have free ports for the requested pod ports",
    ),
    Case(
        "affinity",
        (
            pod(
                spec={
                    "affinity": {
                        "podAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": [
                                {
                                    "labelSelector": {"matchLabels": {"app": "db"}},
                                    "topologyKey": "kubernetes.io/hostname",
                                }
                            ]
                        }
                    }
                }
            ),
        ),
        "pod/web",
        r"no node runs a pod that its podAffinity wants",
        r"1 node\(s\) didn't match pod affinity rules",
    ),
    Case(
        "scheduler-name",
        (pod(spec={"schedulerName": "default-schedular"}),),
        "pod/web",
        r'no such scheduler has looked at it; nearest is "default-scheduler"',
        next=r"leave schedulerName out, .*: correct the manifest of pod/web",
    ),
    Case(
        "spread",
        (
            pod(
                spec={
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostnam",
                            "whenUnsatisfiable": "DoNotSchedule",
                            "labelSelector": {"matchLabels": {"app": "web"}},
                        }
                    ]
                }
            ),
        ),
        "pod/web",
        r'no node has a label kubernetes\.io/hostnam; nearest is "kubernetes\.io/hostname"',
        r"missing required label",
        r"or correct topologyKey",
    ),
)
