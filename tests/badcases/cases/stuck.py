"""What waits for something."""

from __future__ import annotations

from tests.badcases.cases.case import Case
from tests.badcases.manifests import container, cron_job, plain, pod

STUCK = (
    Case(
        "cordoned-gate",
        (pod(spec={"schedulingGates": [{"name": "example.com/wait"}]}),),
        "pod/web",
        r"its scheduling gates are closed: example\.com/wait",
        next=r"""kubectl patch pod/web -n cordoned-gate --type=json -p '\[{"op":"remove","path":"/spec/schedulingGates"}\]'""",
    ),
    Case(
        "readiness-gate",
        (pod(spec={"readinessGates": [{"conditionType": "example.com/served"}]}),),
        "pod/web",
        r"a readiness gate is not passed: whoever is to set condition example\.com/served of the pod has not",
        r'corresponding condition of pod readiness gate "example\.com/served" does not exist',
        r"kubectl patch pod/web -n readiness-gate --subresource=status",
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
        (cron_job("0 3 * * *", suspend=True),),
        "cronjob/nightly",
        r"spec\.suspend is true",
    ),
    Case(
        "cron-never",
        (cron_job("0 3 31 2 *"),),
        "cronjob/nightly",
        r"its schedule 0 3 31 2 \* names no day that there is",
    ),
)
