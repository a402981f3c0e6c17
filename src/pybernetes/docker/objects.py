"""Images and containers as docker's API has them (Engine API 1.45). Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pybernetes.cri import types as t
from pybernetes.cri.door import familiar
from pybernetes.cri.library import ImageRecord

Json = dict[str, Any]
_NEVER = "0001-01-01T00:00:00Z"
_STATES = {
    t.ContainerState.CONTAINER_CREATED: "created",
    t.ContainerState.CONTAINER_RUNNING: "running",
    t.ContainerState.CONTAINER_EXITED: "exited",
}


def config_of(record: ImageRecord) -> Json:
    """The image's config document, whatever an image puts there."""
    found = json.loads(record.config)
    return found if isinstance(found, dict) else {}


def created(record: ImageRecord) -> int:
    """In Unix seconds; 0 if the image does not say."""
    try:
        return int(datetime.fromisoformat(str(config_of(record).get("created"))[:19] + "+00:00").timestamp())
    except ValueError:
        return 0


def summary(record: ImageRecord, containers: int) -> Json:
    """A row of `docker images`."""
    run = config_of(record).get("config") or {}
    return {
        "Id": record.id,
        "ParentId": "",
        "RepoTags": [familiar(tag) for tag in record.tags],
        "RepoDigests": [familiar(digest) for digest in record.digests],
        "Created": created(record),
        "Size": record.size,
        "SharedSize": -1,
        "VirtualSize": record.size,
        "Labels": run.get("Labels") or {},
        "Containers": containers,
    }


def inspected(record: ImageRecord) -> Json:
    """`docker image inspect`."""
    config = config_of(record)
    return {
        "Id": record.id,
        "RepoTags": [familiar(tag) for tag in record.tags],
        "RepoDigests": [familiar(digest) for digest in record.digests],
        "Parent": "",
        "Comment": config.get("comment", ""),
        "Created": config.get("created") or _NEVER,
        "DockerVersion": "",
        "Author": config.get("author", ""),
        "Config": config.get("config") or {},
        "Architecture": config.get("architecture", ""),
        "Variant": config.get("variant", ""),
        "Os": config.get("os", "linux"),
        "Size": record.size,
        "VirtualSize": record.size,
        "GraphDriver": {"Name": "overlay2", "Data": {}},
        "RootFS": {"Type": "layers", "Layers": (config.get("rootfs") or {}).get("diff_ids") or []},
        "Metadata": {"LastTagTime": _NEVER},
    }


def history(record: ImageRecord) -> list[Json]:
    """`docker history`, the newest step first. Sizes of layers are those of their blobs, where they are known."""
    steps = config_of(record).get("history") or []
    sizes = iter(record.layer_sizes)
    rows = [
        {
            "Id": "<missing>",
            "Created": _seconds(step.get("created")),
            "CreatedBy": step.get("created_by", ""),
            "Tags": None,
            "Size": 0 if step.get("empty_layer") else next(sizes, 0),
            "Comment": step.get("comment", ""),
        }
        for step in steps
    ]
    if not rows:
        empty = {"CreatedBy": "", "Comment": "", "Created": created(record), "Tags": None, "Id": "<missing>"}
        rows = [{**empty, "Size": size} for size in sizes] or [{**empty, "Size": 0}]
    rows.reverse()
    rows[0] |= {"Id": record.id, "Tags": [familiar(tag) for tag in record.tags] or None}
    return rows


def _seconds(text: object) -> int:
    try:
        return int(datetime.fromisoformat(str(text)[:19] + "+00:00").timestamp())
    except ValueError:
        return 0


def container_name(labels: dict[str, str], attempt: int) -> str:
    """As dockershim called a pod's container, so that people know it."""
    kubernetes = {key.removeprefix("io.kubernetes."): value for key, value in labels.items()}
    parts = ("container.name", "pod.name", "pod.namespace", "pod.uid")
    return "_".join(("/k8s", *(kubernetes.get(part, "") for part in parts), str(attempt)))


def listed_container(status: t.ContainerStatus, names: dict[str, str], now: datetime) -> Json:
    """A row of `docker ps`. `names` are those of images by id."""
    image = names.get(status.image_id) or (status.image.image if status.image else "")
    return {
        "Id": status.id,
        "Names": [container_name(status.labels, status.metadata.attempt if status.metadata else 0)],
        "Image": familiar(image),
        "ImageID": status.image_id,
        "Command": "",
        "Created": status.created_at // 10**9,
        "Ports": [],
        "Labels": status.labels,
        "State": _STATES.get(status.state, "dead"),
        "Status": _told(status, now),
        "HostConfig": {"NetworkMode": "pod"},
        "NetworkSettings": {"Networks": {}},
        "Mounts": [],
    }


def inspected_container(status: t.ContainerStatus) -> Json:
    """`docker inspect` of a container."""
    running = status.state == t.ContainerState.CONTAINER_RUNNING
    return {
        "Id": status.id,
        "Created": _time(status.created_at),
        "Path": "",
        "Args": [],
        "State": {
            "Status": _STATES.get(status.state, "dead"),
            "Running": running,
            "Paused": False,
            "Restarting": False,
            "OOMKilled": status.reason == "OOMKilled",
            "Dead": False,
            "Pid": 0,
            "ExitCode": status.exit_code,
            "Error": status.message,
            "StartedAt": _time(status.started_at),
            "FinishedAt": _time(status.finished_at),
        },
        "Image": status.image_id,
        "Name": container_name(status.labels, status.metadata.attempt if status.metadata else 0),
        "LogPath": status.log_path,
        "RestartCount": status.metadata.attempt if status.metadata else 0,
        "Driver": "overlay2",
        "HostConfig": {},
        "Mounts": [
            {"Type": "bind", "Source": mount.host_path, "Destination": mount.container_path, "RW": not mount.readonly}
            for mount in status.mounts
        ],
        "Config": {"Image": familiar(status.image.image) if status.image else "", "Labels": status.labels},
        "NetworkSettings": {"Networks": {}},
    }


def _told(status: t.ContainerStatus, now: datetime) -> str:
    if status.state == t.ContainerState.CONTAINER_RUNNING:
        return f"Up {_span(status.started_at, now)}"
    if status.state == t.ContainerState.CONTAINER_EXITED:
        return f"Exited ({status.exit_code}) {_span(status.finished_at, now)} ago"
    return "Created"


def _span(nanoseconds: int, now: datetime) -> str:
    seconds = max(0, int(now.timestamp() - nanoseconds / 10**9))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"


def _time(nanoseconds: int) -> str:
    """RFC 3339, as Go prints it."""
    if not nanoseconds:
        return _NEVER
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"
