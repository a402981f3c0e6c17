"""GET /containerLogs/{namespace}/{pod}/{container}."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path

from pybernetes.aio.clock import Clock
from pybernetes.aio.http_server import Answer, Request, RequestError
from pybernetes.aio.inotify import Inotify
from pybernetes.aio.tasks import open_scope
from pybernetes.aio.threads import Worker
from pybernetes.api.time import parse_time
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.logs.follow import follow_log, read_log
from pybernetes.kubelet.logs.reader import Selection
from pybernetes.kubelet.observed import ObservedContainer
from pybernetes.kubelet.pod.worker import PodWorker
from pybernetes.kubelet.podspec import container_of, name_of

MAX_AGE_SECONDS = 10 * 366 * 86400
"""No log is older; a time before the first year cannot be told."""


def selection_of(query: Mapping[str, str], now: datetime) -> Selection:
    """PodLogOptions out of a query. Raises ValueError."""
    since = None
    if "sinceSeconds" in query:
        since = now - timedelta(seconds=min(int(query["sinceSeconds"]), MAX_AGE_SECONDS))
    elif "sinceTime" in query:
        since = parse_time(query["sinceTime"])
    tail, limit = query.get("tailLines"), query.get("limitBytes")
    return Selection(
        tail_lines=None if tail is None else max(0, int(tail)),
        since=since,
        timestamps=is_true(query, "timestamps"),
        limit_bytes=None if limit is None else int(limit),
        stream=query.get("stream", "All"),
    )


def is_true(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true")


def attempt_of(worker: PodWorker, name: str, previous: bool) -> ObservedContainer:
    """The attempt whose log is meant. Raises RequestError with upstream's words if there is none."""
    pod = worker.pod
    if container_of(pod, name) is None:
        raise RequestError(404, f'container "{name}" not found in pod "{name_of(pod)}"')
    history = [c for c in worker.observed.history(name) if c.status.state != 0]
    if previous:
        if len(worker.observed.history(name)) < 2:
            raise RequestError(400, f'previous terminated container "{name}" in pod "{name_of(pod)}" not found')
        return worker.observed.history(name)[1]
    if not history:
        raise RequestError(400, _why_waiting(pod, name))
    return history[0]


def _why_waiting(pod: v1.Pod, name: str) -> str:
    status = pod.status
    statuses = [*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses]
    found = next((s for s in statuses if s.name == name), None)
    waiting = found.state.waiting if found and found.state else None
    reason = (waiting.reason if waiting else None) or "ContainerCreating"
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        reason = "trying and failing to pull image"
    return f'container "{name}" in pod "{name_of(pod)}" is waiting to start: {reason}'


def serve(request: Request, worker: PodWorker, clock: Clock, threads: Worker) -> Answer:
    """The log as a stream; with `follow` until the container ends. Raises RequestError."""
    query = request.query
    try:
        selection = selection_of(query, clock.now())
    except ValueError as error:
        raise RequestError(400, str(error)) from error
    attempt = attempt_of(worker, request.names["container"], is_true(query, "previous"))
    path = Path(attempt.status.log_path)
    if not path.parent.is_dir():
        raise RequestError(500, f"failed to open log file: {path}: no such file or directory")
    if is_true(query, "follow"):
        return Answer(_follow(path, selection, threads, worker, attempt.id), "text/plain")
    return Answer(read_log(path, selection, threads), "text/plain")


async def _follow(
    path: Path, selection: Selection, threads: Worker, worker: PodWorker, container_id: str
) -> AsyncGenerator[bytes, None]:
    with Inotify() as changes:
        async with open_scope("follow") as scope:
            scope.spawn(_wake_at_end(worker, container_id, changes), "end")
            pieces = follow_log(path, selection, threads, changes, lambda: worker.has_exited(container_id))
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece


async def _wake_at_end(worker: PodWorker, container_id: str, changes: Inotify) -> None:
    await worker.wait_exited(container_id)
    changes.wake()
