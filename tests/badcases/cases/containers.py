"""Containers that end, or are not ready."""

from __future__ import annotations

from typing import Any

from tests.badcases.cases.case import Case, Tree
from tests.badcases.manifests import container, deployment, limits, pod


def probe(port: int = 80, **fields: Any) -> Tree:
    return {"httpGet": {"port": port, "path": "/"}, "periodSeconds": 1, "failureThreshold": 1} | fields


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
