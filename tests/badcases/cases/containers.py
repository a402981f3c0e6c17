"""Containers that end, or are not ready."""

from __future__ import annotations

from typing import Any

from tests.badcases.cases.case import Case, Tree
from tests.badcases.manifests import container, deployment, limits, plain, pod, service


def probe(port: int = 80, **fields: Any) -> Tree:
    return {"httpGet": {"port": port, "path": "/"}, "periodSeconds": 1, "failureThreshold": 1} | fields


def script(text: str) -> Tree:
    return plain("ConfigMap", "script", data={"run.sh": text})


SCRIPT: dict[str, Tree] = {"run": {"configMap": {"name": "script", "defaultMode": 0o755}}}
FORBIDDEN = (
    'deployments.apps is forbidden: User "system:serviceaccount:rights:default" cannot list resource "deployments"'
    ' in API group "apps" in the namespace "rights"'
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
        "command-one-word",
        (deployment(command=["sleep 3600"]),),
        "deployment/web",
        r'"sleep 3600" is taken as the name of one program: each word is an item of its own',
        r'exec: "sleep 3600": executable file not found in \$PATH',
        r'command: \["sleep", "3600"\], or with a shell \[sh, -c, "sleep 3600"\]: kubectl edit deployment/web',
    ),
    Case(
        "localhost",
        (
            pod(
                command=["sh", "-c", "wget -O- http://127.0.0.1:3306; echo connect ECONNREFUSED 127.0.0.1:3306; exit 1"]
            ),
            service("db", ports=[{"port": 3306}]),
        ),
        "pod/web",
        r"it connects to port 3306 of localhost, which is the pod itself, and nobody listens there; service db has that port",
        r"log: connect ECONNREFUSED 127\.0\.0\.1:3306",
        r"let it connect to db in place of localhost",
    ),
    Case(
        "user-may-not",
        (pod(command=["sh", "-c", "mkdir /var/cache"], securityContext={"runAsUser": 1000}),),
        "pod/web",
        r"user 1000, as which its securityContext has it run, may not do that",
        r"log: mkdir: .*Permission denied",
        r"mount an emptyDir where it writes; volumes are its own by fsGroup: 1000",
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
        "sidecar",
        (
            pod(
                spec={
                    "initContainers": [container(name="proxy", restartPolicy="Always", command=["sh", "-c", "exit 4"])]
                }
            ),
        ),
        "pod/web",
        r"sidecar proxy waits: CrashLoopBackOff",
        r"Error, exit code 4",
        r"kubectl logs pod/web -n sidecar -c proxy --previous",
    ),
    Case(
        "post-start",
        (pod(lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "exit 5"]}}}),),
        "pod/web",
        r"its postStart hook fails, so that it is ended each time: sh -c exit 5",
        r"PostStartHook failed",
    ),
    Case(
        "two-at-once",
        (deployment(command=["sh", "-c", "sleep 1; echo no database; exit 3"], readinessProbe=probe()),),
        "deployment/web",
        r"its program fails with exit code 3",
        r"log: no database",
        r"kubectl logs pod/web-\S+ -n two-at-once -c app --previous",
    ),
    Case(
        "interpreter",
        (script("#!/bin/bash\nsleep 100\n"), pod(command=["/mnt/run/run.sh"], volumes=SCRIPT)),
        "pod/web",
        r"/mnt/run/run\.sh is there, but not what has to run it \(command\): the program of its #! line",
        r"exec /mnt/run/run\.sh: no such file or directory",
        r"a script: begin it with #!/bin/sh, with Unix line ends",
    ),
    Case(
        "no-interpreter",
        (script("sleep 100\n"), pod(command=["/mnt/run/run.sh"], volumes=SCRIPT)),
        "pod/web",
        r"/mnt/run/run\.sh of image busybox is not for this machine's processor, or a script without #!",
        r"exec /mnt/run/run\.sh: exec format error",
    ),
    Case(
        "mount-on-file",
        (
            pod(
                spec={
                    "volumes": [{"name": "data", "emptyDir": {}}],
                    "containers": [container(volumeMounts=[{"name": "data", "mountPath": "/etc/passwd"}])],
                }
            ),
        ),
        "pod/web",
        r"volume data cannot be mounted at /etc/passwd: one of the two is a file, the other a directory",
        r'error mounting "\S+" to rootfs at "/etc/passwd"',
        r"subPath: passwd beside that mountPath",
    ),
    Case(
        "mount-hides",
        (
            pod(
                spec={
                    "volumes": [{"name": "data", "emptyDir": {}}],
                    "containers": [container(volumeMounts=[{"name": "data", "mountPath": "/bin"}])],
                }
            ),
        ),
        "pod/web",
        r"there is no program sh: volume data at /bin hides what image busybox has there",
        r'exec: "sh": executable file not found in \$PATH',
        r"mount it somewhere else",
    ),
    Case(
        "working-directory",
        (pod(workingDir="/bin/busybox"),),
        "pod/web",
        r"its working directory /bin/busybox cannot be entered: not a directory",
        r"mkdir /bin/busybox: not a directory",
        r"correct workingDir of container app",
    ),
    Case(
        "read-only-root",
        (
            deployment(
                command=["sh", "-c", "echo x > /var/x && sleep 100"], securityContext={"readOnlyRootFilesystem": True}
            ),
        ),
        "deployment/web",
        r"it writes to its image's files, and readOnlyRootFilesystem is set: /var/x",
        next=r"mount an emptyDir where it writes",
    ),
    Case(
        "port-below-1024",
        (
            pod(
                command=["httpd", "-f", "-p", "80"],
                securityContext={"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
            ),
        ),
        "pod/web",
        r"its user may not listen on a port below 1024",
        next=r"let it listen on 8080",
    ),
    Case(
        "rights",
        (pod(command=["sh", "-c", f"echo '{FORBIDDEN}' >&2; exit 1"]),),
        "pod/web",
        r"service account default of namespace rights may not list deployments\.apps in namespace rights",
        next=r"kubectl create role list-deployments -n rights --verb=list --resource=deployments\.apps",
    ),
    Case(
        "probe-scheme",
        (
            pod(
                command=["httpd", "-f", "-p", "80"],
                readinessProbe=probe(httpGet={"port": 80, "path": "/", "scheme": "HTTPS"}),
            ),
        ),
        "pod/web",
        r"its readiness probe fails: GET / on port 80",
        r"http: server gave HTTP response to HTTPS client",
        r"port 80 speaks HTTP: leave scheme: HTTPS out",
    ),
    Case(
        "probe-program",
        (pod(readinessProbe={"exec": {"command": ["no-such-curl"]}, "periodSeconds": 1}),),
        "pod/web",
        r"its readiness probe fails: no-such-curl",
        next=r"there is no program no-such-curl in image busybox: probe by httpGet",
    ),
    Case(
        "disk-limit",
        (
            pod(
                command=["sh", "-c", "head -c 20m /dev/zero > /tmp/x; sleep 100"],
                **limits(**{"ephemeral-storage": "5Mi"}),
            ),
        ),
        "pod/web",
        r"it passed a limit on the node's disk",
        r"ephemeral local storage usage exceeds",
        r"raise limits\.ephemeral-storage",
    ),
)
