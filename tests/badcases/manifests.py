"""Objects in short: what a case needs to say, and defaults for the rest."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]
SLEEP = ["sh", "-c", "trap exit TERM; sleep 3600 & wait"]


def container(**fields: Any) -> Tree:
    """A busybox that sleeps, unless told otherwise."""
    return {"name": "app", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": SLEEP} | fields


def pod_spec(*, volumes: dict[str, Tree] | None = None, spec: Tree | None = None, **fields: Any) -> Tree:
    """One container; its volumes are mounted below /mnt."""
    mounts = {"volumeMounts": [{"name": name, "mountPath": f"/mnt/{name}"} for name in volumes]} if volumes else {}
    named = [{"name": name} | source for name, source in (volumes or {}).items()]
    base: Tree = {"containers": [container(**mounts, **fields)], "terminationGracePeriodSeconds": 0}
    return base | ({"volumes": named} if named else {}) | (spec or {})


def pod(name: str = "web", labels: Tree | None = None, **given: Any) -> Tree:
    metadata = {"name": name, "labels": labels or {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(**given)}


def deployment(name: str = "web", replicas: int = 1, own: Tree | None = None, **given: Any) -> Tree:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(**given)}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template} | (own or {})
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def job(name: str = "work", own: Tree | None = None, **given: Any) -> Tree:
    template = {"spec": pod_spec(**{"spec": {"restartPolicy": "Never"}, **given})}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template} | (own or {}),
    }


def cron_job(schedule: str, name: str = "nightly", **own: Any) -> Tree:
    spec = {"schedule": schedule, "jobTemplate": {"spec": job()["spec"]}} | own
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def service(name: str = "web", selector: Tree | None = None, **spec: Any) -> Tree:
    base = {"selector": selector or {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": base | spec}


def claim(name: str = "data", size: str = "1Gi", **spec: Any) -> Tree:
    base = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": base | spec,
    }


def volume(name: str, storage_class: str, size: str = "1Gi", modes: tuple[str, ...] = ("ReadWriteOnce",)) -> Tree:
    spec = {
        "capacity": {"storage": size},
        "accessModes": list(modes),
        "storageClassName": storage_class,
        "hostPath": {"path": f"/tmp/{name}"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def autoscaler(target: str = "web", name: str = "web", kind: str = "Deployment", **own: Any) -> Tree:
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target},
        "maxReplicas": 3,
        "metrics": [metric],
    } | own
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": spec}


def ingress(service_name: str = "web", port: int = 80, name: str = "web", **spec: Any) -> Tree:
    backend = {"service": {"name": service_name, "port": {"number": port}}}
    rule = {"host": "web.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"rules": [rule]} | spec,
    }


def plain(kind: str, name: str, api_version: str = "v1", **fields: Any) -> Tree:
    """Any other object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}} | fields


def requests(**amounts: str) -> Tree:
    return {"resources": {"requests": amounts}}


def limits(**amounts: str) -> Tree:
    return {"resources": {"limits": amounts}}
