"""An operator for `kopf run`: each Vessel has a ConfigMap of its crew, which a timer counts and a finalizer outlives."""

from __future__ import annotations

from typing import Any

import kopf
from kubernetes import client, config

GROUP = ("kopf.example", "v1", "vessels")


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    config.load_kube_config()
    settings.posting.level = 20
    settings.persistence.finalizer = "kopf.example/finalizer"


@kopf.on.create(*GROUP)
def create(spec: kopf.Spec, name: str, namespace: str, **_: Any) -> dict[str, str]:
    crew = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"crew": str(spec["crew"])}}
    kopf.adopt(crew)
    client.CoreV1Api().create_namespaced_config_map(namespace, crew)
    return {"port": "Iolcus"}


@kopf.on.update(*GROUP, field="spec.crew")
def update(old: int, new: int, name: str, namespace: str, body: kopf.Body, **_: Any) -> None:
    client.CoreV1Api().patch_namespaced_config_map(name, namespace, {"data": {"crew": str(new)}})
    kopf.info(body, reason="Manned", message=f"from {old} to {new}")


@kopf.timer(*GROUP, interval=0.5)
def count(patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    patch.status["rounds"] = min(status.get("rounds", 0) + 1, 2)


@kopf.on.delete(*GROUP)
def delete(name: str, namespace: str, retry: int, **_: Any) -> None:
    """Fails once, so that the finalizer is seen to hold."""
    if not retry:
        raise kopf.TemporaryError("not yet in port", delay=0.1)
    client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-sank"}})


@kopf.on.event("v1", "pods", labels={"ship": kopf.PRESENT})
def pods(event: kopf.RawEvent, logger: kopf.Logger, **_: Any) -> None:
    logger.info("pod event %s", event["type"])
