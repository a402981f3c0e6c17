"""What controllers cannot bring about."""

from __future__ import annotations

from tests.badcases.cases.case import Case
from tests.badcases.manifests import autoscaler, container, deployment, job, limits, plain, requests

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
        "limit-default",
        (
            plain("LimitRange", "small", spec={"limits": [{"type": "Container", "default": {"memory": "64Mi"}}]}),
            deployment(**requests(memory="128Mi")),
        ),
        "deployment/web",
        r"asks for 128Mi of memory, more than its limit of 64Mi, which limitrange small gives to containers that say none",
        r'Invalid value: "128Mi": must be less than or equal to memory limit of 64Mi',
        r"set resources deployment/web -n limit-default --limits=memory=128Mi$",
    ),
    Case(
        "hpa-custom",
        (
            deployment(),
            autoscaler(
                metrics=[
                    {
                        "type": "Pods",
                        "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "9"}},
                    }
                ]
            ),
        ),
        "hpa/web",
        r"nothing serves metric hits: there is no API custom\.metrics\.k8s\.io",
        r"unable to fetch metrics from custom metrics API",
        r"install a server of custom\.metrics\.k8s\.io",
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
        "job-gone",
        (job(own={"backoffLimit": 1}, command=["pyhton"], spec={"restartPolicy": "OnFailure"}),),
        "job/work",
        r"its last pod is gone, as restartPolicy OnFailure has it, and its log too",
        r'exec: "pyhton": executable file not found in \$PATH',
        r"restartPolicy: Never in its template",
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
    Case(
        "quota-and-image",
        (
            plain("ResourceQuota", "small", spec={"hard": {"pods": "1"}}),
            deployment(replicas=2, name="web", image="nginx:1.18.30"),
        ),
        "deployment/web",
        r"quota small is used up",
        r"failed to resolve reference",
        r"kubectl set image deployment/web -n quota-and-image app=nginx:1\.18\.0",
    ),
    Case(
        "runtime-class",
        (deployment(spec={"runtimeClassName": "gvisor"}),),
        "deployment/web",
        r"runtime class gvisor does not exist",
        r'RuntimeClass "gvisor" not found',
        r"kubectl get runtimeclasses",
    ),
)
