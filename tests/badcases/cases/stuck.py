"""What waits for something."""

from __future__ import annotations

from tests.badcases.cases.case import Case
from tests.badcases.manifests import SLEEP, container, plain, pod

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
