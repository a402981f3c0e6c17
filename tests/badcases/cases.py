"""What users run into: the objects of each case, and what `p8s why` has to say about one of them.

`what` is a pattern of the cause, `seen` of the cluster's own words beneath it (upstream's), `next` of a next step.
Each case has a namespace of its own, called as the case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.badcases.manifests import (
    SLEEP,
    autoscaler,
    claim,
    container,
    deployment,
    ingress,
    job,
    limits,
    plain,
    pod,
    requests,
    service,
    volume,
)

Tree = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One way to go wrong."""

    name: str
    objects: tuple[Tree, ...]
    ask: str
    what: str
    seen: str = ""
    next: str = ""


def probe(port: int = 80, **fields: Any) -> Tree:
    return {"httpGet": {"port": port, "path": "/"}, "periodSeconds": 1, "failureThreshold": 1} | fields


def env_from(**source: Tree) -> Tree:
    return {"env": [{"name": "KEY", "valueFrom": source}]}


IMAGES = (
    Case(
        "image-missing",
        (deployment(name="web", image="nginx:1.18.30"),),
        "deployment/web",
        r"image nginx:1\.18\.30 is not in the registry; tags close to it: 1\.18\.0",
        r"nginx:1\.18\.30: not found",
        r"kubectl set image deployment/web -n image-missing app=nginx:1\.18\.0",
    ),
    Case(
        "image-name",
        (deployment(image="ngnix"),),
        "deployment/web",
        r"names close to it: nginx",
        r"not found",
        r"app=nginx",
    ),
    Case(
        "image-malformed",
        (pod(image="nginx@latest"),),
        "pod/web",
        r'image name "nginx@latest" is malformed: "@" stands before a digest',
        r'Failed to apply default image tag "nginx@latest": .*invalid reference format',
        r"app=nginx:latest",
    ),
    Case(
        "registry-down",
        (pod(image="127.0.0.1:1/web:1"),),
        "pod/web",
        r"the registry of image 127\.0\.0\.1:1/web:1 cannot be reached: http://127\.0\.0\.1:1: .*connection refused",
        r"failed to pull and unpack image",
        r"curl -sS http://127\.0\.0\.1:1/v2/",
    ),
    Case(
        "image-never",
        (pod(image="absent:1", imagePullPolicy="Never"),),
        "pod/web",
        r"image absent:1 is not on the node, and imagePullPolicy is Never",
        r'Container image "absent:1" is not present with pull policy of Never',
        r"docker save absent:1 \| sudo p8s image load",
    ),
)

SCHEDULING = (
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
)

STORAGE = (
    Case(
        "claim-class",
        (claim(storageClassName="standart"), pod(volumes={"data": {"persistentVolumeClaim": {"claimName": "data"}}})),
        "pod/web",
        r"storage class standart does not exist",
        r'storageclass\.storage\.k8s\.io "standart" not found',
        r"storageClassName: standard",
    ),
    Case(
        "claim-mode",
        (volume("badcase-mode", "badcase-mode"), claim(storageClassName="badcase-mode", accessModes=["ReadWriteMany"])),
        "pvc/data",
        r"badcase-mode: offers ReadWriteOnce, ReadWriteMany is asked for",
        r'storageclass\.storage\.k8s\.io "badcase-mode" not found',
    ),
    Case(
        "claim-size",
        (volume("badcase-size", "badcase-size"), claim(storageClassName="badcase-size", size="3Gi")),
        "pvc/data",
        r"badcase-size: has 1Gi, 3Gi are asked for",
    ),
    Case(
        "claim-none",
        (claim(storageClassName=""),),
        "pvc/data",
        r'there is no persistentvolume without a class, and storageClassName is "", which keeps the default class standard',
        r"no persistent volumes available for this claim and no storage class is set",
    ),
    Case(
        "claim-name",
        (claim("datas"), pod(volumes={"data": {"persistentVolumeClaim": {"claimName": "data"}}})),
        "pod/web",
        r'persistentvolumeclaim data does not exist; nearest is "datas"',
        r'persistentvolumeclaim "data" not found',
        r"name datas instead of data: correct the manifest of pod/web",
    ),
    Case(
        "host-path",
        (pod(volumes={"host": {"hostPath": {"path": "/etc/hostname", "type": "Directory"}}}),),
        "pod/web",
        r"host path /etc/hostname is not a directory",
        r'MountVolume\.SetUp failed for volume "host" : hostPath type check failed: /etc/hostname is not a directory',
    ),
)

CONFIGURATION = (
    Case(
        "config-map",
        (
            plain("ConfigMap", "settings", data={"a": "1"}),
            pod(**env_from(configMapKeyRef={"name": "setings", "key": "a"})),
        ),
        "pod/web",
        r'configmap setings does not exist; nearest is "settings"',
        r'configmap "setings" not found',
        r"name settings instead of setings: correct the manifest of pod/web",
    ),
    Case(
        "config-key",
        (
            plain("ConfigMap", "settings", data={"colour": "1"}),
            pod(**env_from(configMapKeyRef={"name": "settings", "key": "color"})),
        ),
        "pod/web",
        r"configmap settings has no key color; it has: colour",
        r"couldn't find key color in ConfigMap config-key/settings",
        r"name colour instead of color: correct the manifest of pod/web",
    ),
    Case(
        "secret-volume",
        (pod(volumes={"keys": {"secret": {"secretName": "keys"}}}),),
        "pod/web",
        r"secret keys does not exist",
        r'MountVolume\.SetUp failed for volume "keys" : secret "keys" not found',
    ),
    Case(
        "config-file",
        (
            plain("ConfigMap", "settings", data={"a.conf": "1"}),
            pod(volumes={"files": {"configMap": {"name": "settings", "items": [{"key": "b.conf", "path": "b"}]}}}),
        ),
        "pod/web",
        r"configmap settings has no key b\.conf; it has: a\.conf",
        r'MountVolume\.SetUp failed for volume "files" : configmap references non-existent config key: b\.conf',
    ),
    Case(
        "root-user",
        (pod(securityContext={"runAsNonRoot": True}),),
        "pod/web",
        r"runAsNonRoot is set, and the image's user is root",
        r"container has runAsNonRoot and image will run as root",
    ),
)

CONTAINERS = (
    Case(
        "command-missing",
        (deployment(command=["ngnix"]),),
        "deployment/web",
        r"there is no program ngnix in image busybox \(command\)",
        r'exec: "ngnix": executable file not found in \$PATH',
    ),
    Case(
        "crash-loop",
        (deployment(command=["sh", "-c", "echo no database at db:5432 >&2; exit 3"]),),
        "deployment/web",
        r"its program fails with exit code 3",
        r"log: no database at db:5432",
        r"kubectl logs pod/web-\S+ -n crash-loop -c app --previous",
    ),
    Case(
        "nothing-to-do",
        (deployment(command=["true"]),),
        "deployment/web",
        r"its program ended at once with exit code 0, and restartPolicy is Always",
        r"Completed, exit code 0",
    ),
    Case(
        "out-of-memory",
        (pod(command=["sh", "-c", "head -c 200m /dev/zero | tail"], **limits(memory="16Mi")),),
        "pod/web",
        r"it used more memory than its limit of 16Mi, and the kernel ended it",
        r"OOMKilled, exit code 137",
        r"raise limits\.memory in the manifest of pod/web, then: kubectl replace --force -f FILE -n out-of-memory",
    ),
    Case(
        "liveness",
        (pod(livenessProbe=probe()),),
        "pod/web",
        r"its liveness probe fails, so that it is ended and started again: GET / on port 80",
        r"Liveness probe failed: Get \"http://10\.\S+:80/\": dial tcp 10\.\S+:80: connect: connection refused",
    ),
    Case(
        "readiness",
        (deployment(ports=[{"containerPort": 8080}], readinessProbe={"tcpSocket": {"port": 80}, "periodSeconds": 10}),),
        "deployment/web",
        r"its readiness probe fails: connect to port 80",
        r"Readiness probe failed: dial tcp 10\.\S+:80: connect: connection refused",
        r"nobody listens on port 80; the container declares 8080",
    ),
    Case(
        "startup",
        (pod(startupProbe=probe(failureThreshold=60)),),
        "pod/web",
        r"its startup probe fails.*: GET / on port 80",
        r"Startup probe failed:",
    ),
    Case(
        "init-container",
        (pod(spec={"initContainers": [container(name="first", command=["sh", "-c", "exit 4"])]}),),
        "pod/web",
        r"init container first .*",
        r"Error, exit code 4",
        r"kubectl logs pod/web -n init-container -c first",
    ),
    Case(
        "post-start",
        (pod(lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "exit 5"]}}}),),
        "pod/web",
        r"its postStart hook fails, so that it is ended each time: sh -c exit 5",
        r"PostStartHook failed",
    ),
)

CONTROLLERS = (
    Case(
        "quota",
        (
            plain("ResourceQuota", "small", spec={"hard": {"pods": "1"}}),
            deployment(replicas=2),
        ),
        "deployment/web",
        r"quota small is used up: it allows pods=1, pods=1 is used, pods=1 more is asked for",
        r"exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1",
        r"kubectl edit resourcequota small -n quota",
    ),
    Case(
        "quota-unsaid",
        (plain("ResourceQuota", "small", spec={"hard": {"requests.cpu": "1"}}), deployment()),
        "deployment/web",
        r"quota small wants every container to say its requests\.cpu",
        r"failed quota: small: must specify requests\.cpu",
    ),
    Case(
        "limit-range",
        (
            plain("LimitRange", "bounds", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}}]}),
            deployment(**limits(cpu="2")),
        ),
        "deployment/web",
        r"LimitRange of the namespace allows at most 1 cpu per Container; the limit is 2",
        r"maximum cpu usage per Container is 1, but limit is 2",
        r"set resources deployment/web -n limit-range --limits=cpu=1$",
    ),
    Case(
        "service-account",
        (deployment(spec={"serviceAccountName": "defualt"}),),
        "deployment/web",
        r'serviceaccount defualt does not exist; nearest is "default"',
        r'error looking up service account service-account/defualt: serviceaccount "defualt" not found',
        r"name default instead of defualt: kubectl edit deployment/web -n service-account",
    ),
    Case(
        "backoff-limit",
        (job(own={"backoffLimit": 0}, command=["sh", "-c", "exit 6"]),),
        "job/work",
        r"its pods failed more often than backoffLimit of 0",
        r"Job has reached the specified backoff limit",
    ),
    Case(
        "job-deadline",
        (job(own={"activeDeadlineSeconds": 1}),),
        "job/work",
        r"it was active longer than activeDeadlineSeconds of 1",
        r"Job was active longer than specified deadline",
    ),
    Case(
        "progress-deadline",
        (deployment(own={"progressDeadlineSeconds": 1}, spec={"nodeSelector": {"disk": "ssd"}}),),
        "deployment/web",
        r"no node has a label disk",
        r"1 node\(s\) didn't match Pod's node affinity/selector",
    ),
    Case(
        "daemon-nowhere",
        (
            plain(
                "DaemonSet",
                "agent",
                "apps/v1",
                spec={
                    "selector": {"matchLabels": {"app": "agent"}},
                    "template": {
                        "metadata": {"labels": {"app": "agent"}},
                        "spec": {"nodeSelector": {"gpu": "yes"}, "containers": [container()]},
                    },
                },
            ),
        ),
        "daemonset/agent",
        r"no node has label gpu=yes",
    ),
    Case(
        "hpa-requests",
        (deployment(), autoscaler()),
        "hpa/web",
        r"percentage of the cpu request, and container app of deployment/web has none",
        r"the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container app of Pod web-",
        r"set resources deployment/web -n hpa-requests -c app --requests=cpu=",
    ),
    Case(
        "hpa-target",
        (deployment("web"), autoscaler("wed")),
        "hpa/web",
        r'its target deployment wed does not exist; nearest is "web"',
        r'deployments\.apps "wed" not found',
    ),
    Case(
        "budget",
        (
            deployment(),
            plain(
                "PodDisruptionBudget",
                "web",
                "policy/v1",
                spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            ),
        ),
        "pdb/web",
        r"it wants all pods that there are",
    ),
)

NETWORK = (
    Case(
        "selector",
        (deployment("web"), service(selector={"app": "wep"})),
        "svc/web",
        r"its selector app=wep matches no pod; pods have app=web",
        next=r"kubectl set selector service/web -n selector 'app=web'",
    ),
    Case(
        "target-port",
        (deployment(ports=[{"containerPort": 8080}]), service()),
        "svc/web",
        r"it sends to port 80, and its pods declare 8080",
        next=r'"value":8080',
    ),
    Case(
        "port-name",
        (deployment(ports=[{"containerPort": 80, "name": "http"}]), service(ports=[{"port": 80, "targetPort": "htp"}])),
        "svc/web",
        r'targetPort htp is no port of its pods; nearest is "http"',
    ),
    Case(
        "nobody-listens",
        (deployment(), service()),
        "svc/web",
        r"nobody listens on port 80 of its pods",
        r"connection refused",
        r"kubectl exec pod/web-\S+ -n nobody-listens -- netstat -tln",
    ),
    Case(
        "not-ready",
        (deployment(readinessProbe=probe()), service()),
        "svc/web",
        r"its readiness probe fails: GET / on port 80",
        r"Readiness probe failed",
    ),
    Case(
        "name-asked",
        (
            service("php-apache"),
            pod("load", command=["sh", "-c", "trap exit TERM; while sleep 0.2; do wget -q -O- http://php-apach; done"]),
        ),
        "pod/load",
        r"it asks DNS for service php-apach of namespace name-asked, which does not exist; there is php-apache",
        r'asked DNS for "php-apach\.name-asked\.svc\.cluster\.local", which does not exist',
        r"let it ask for php-apache",
    ),
    Case(
        "ingress-service",
        (
            deployment(),
            service("web"),
            plain("IngressClass", "badcases", "networking.k8s.io/v1", spec={"controller": "example.com/none"}),
            ingress("wed", ingressClassName="badcases"),
        ),
        "ingress/web",
        r'service wed does not exist; nearest is "web"',
    ),
    Case(
        "ingress-class",
        (ingress(ingressClassName="ngnix"),),
        "ing/web",
        r"ingress class ngnix does not exist",
        next=r'"ingressClassName":"pybernetes"',
    ),
)

STUCK = (
    Case(
        "cordoned-gate",
        (pod(spec={"schedulingGates": [{"name": "example.com/wait"}]}),),
        "pod/web",
        r"its scheduling gates are closed: example\.com/wait",
        next=r"""kubectl patch pod/web -n cordoned-gate --type=json -p '\[{"op":"remove","path":"/spec/schedulingGates"}\]'""",
    ),
    Case(
        "stateful",
        (
            plain(
                "StatefulSet",
                "db",
                "apps/v1",
                spec={
                    "replicas": 3,
                    "serviceName": "db",
                    "selector": {"matchLabels": {"app": "db"}},
                    "template": {
                        "metadata": {"labels": {"app": "db"}},
                        "spec": {"containers": [container(image="busybox:missing")]},
                    },
                },
            ),
        ),
        "sts/db",
        r"image busybox:missing is not in the registry; tags close to it: .*latest",
        r"not found",
    ),
    Case(
        "cron",
        (
            plain(
                "CronJob",
                "nightly",
                "batch/v1",
                spec={
                    "schedule": "0 3 * * *",
                    "suspend": True,
                    "jobTemplate": {
                        "spec": {
                            "template": {"spec": {"restartPolicy": "Never", "containers": [container(command=SLEEP)]}}
                        }
                    },
                },
            ),
        ),
        "cronjob/nightly",
        r"spec\.suspend is true",
    ),
)

CASES = (*IMAGES, *SCHEDULING, *STORAGE, *CONFIGURATION, *CONTAINERS, *CONTROLLERS, *NETWORK, *STUCK)
