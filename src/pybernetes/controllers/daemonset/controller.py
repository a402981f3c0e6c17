"""The DaemonSet controller."""

from __future__ import annotations

import functools

import msgspec

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.client.cache import Key
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.daemonset import plan
from pybernetes.controllers.history import REVISION_LABEL, History, hash_of
from pybernetes.controllers.ownership import CONTROLLER_INDEX, Claimer, add_owner_indexes, concerned
from pybernetes.controllers.podcontrol import BURST, PodControl, in_parallel, pod_from_template, slow_start

replace = msgspec.structs.replace

# A daemon that fails at once is not to be made anew as fast as it fails.
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 900.0
FORGOTTEN_SECONDS = 2 * LAST_RETRY_SECONDS
"""After so long without another failure the next one counts as the first."""


class DaemonSetController(KeyedController):
    """A node's coming, going, labels and taints concern every set."""

    name = "daemonset-controller"
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sets = context.informers.of(apps_v1.DaemonSet)
        self.nodes = context.informers.of(core_v1.Node)
        self.pods = context.informers.of(core_v1.Pod)
        add_owner_indexes(self.pods)
        self.history = History(context, apps_v1.DaemonSet)
        self.recorder = context.recorder(self.name)
        self.control = PodControl(context, self.recorder)
        self.claimer = Claimer(context.client, apps_v1.DaemonSet, core_v1.Pod, self.pods)
        self._failures: dict[tuple[str, int | None, str], tuple[int, float]] = {}
        """By set, its generation and node: how often, and until when nothing is done about it."""
        self.sets.subscribe(self.enqueue_change)
        self.pods.subscribe(self._on_pod)
        self.nodes.subscribe(self._on_node)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        for key in concerned("DaemonSet", self.sets.list, old, new):
            self.queue.add(key)

    def _on_node(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        same = old is not None and new is not None and old.spec == new.spec
        if same and old is not None and new is not None and old.metadata.labels == new.metadata.labels:
            return
        for found in self.sets.list():
            self.enqueue(found)

    async def reconcile(self, key: Key) -> float | None:
        daemons = self.sets.get(key[1], key[0])
        if daemons is None or daemons.metadata.deletion_timestamp is not None:
            return None
        selector = labels.from_struct(daemons.spec.selector)
        if selector.is_everything:
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self.recorder.event(daemons, "Warning", "SelectingAll", message)
            return None
        update = await self.history.sync(daemons)
        nodes, now = self.nodes.list(), self.context.clock.now()
        pods = plan.by_node(self.control.present(await self.claimer.claim(daemons, selector)))
        step = plan.plan_presence(daemons, nodes, pods)
        wait = self._pause_failing(daemons, step)
        if not step.create and not step.delete:
            step = plan.plan_update(daemons, nodes, pods, hash_of(update), now)
        error = await self._carry_out(daemons, step, hash_of(update))
        left = self.control.present(self.pods.by_index(CONTROLLER_INDEX, daemons.metadata.uid or ""))
        status = plan.status_of(daemons, nodes, plan.by_node(left), hash_of(update), now)
        if status != daemons.status:
            self.sets.assume(await self.client.update_status(replace(daemons, status=status)))
        used = {pod.metadata.labels.get(REVISION_LABEL, "") for pod in left} | {hash_of(update)}
        await self.history.clean_up(daemons, used)
        if error is not None and not errors.is_namespace_terminating(error):
            raise error
        return self._until_available(daemons, left, wait)

    def _pause_failing(self, daemons: apps_v1.DaemonSet, step: plan.Step) -> float | None:
        """Delete failed pods, each node's with a growing pause; how long the shortest lasts yet."""
        now, waits = self.context.clock.monotonic(), []
        if step.failed:
            fresh = {place: known for place, known in self._failures.items() if now < known[1] + FORGOTTEN_SECONDS}
            self._failures = fresh
        for pod in step.failed:
            place = (daemons.metadata.uid or "", daemons.metadata.generation, plan.node_of(pod))
            count, allowed = self._failures.get(place, (0, now))
            if now < allowed:
                waits.append(allowed - now)
                continue
            pause = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(count, 20))
            self._failures[place] = (count + 1, now + pause)
            node = plan.node_of(pod)
            message = f"Found failed daemon pod {pod.metadata.namespace}/{pod.metadata.name} on node {node}, will try to kill it"
            self.recorder.event(daemons, "Warning", "FailedDaemonPod", message)
            step.delete.append(pod)
        return min(waits, default=None)

    async def _carry_out(self, daemons: apps_v1.DaemonSet, step: plan.Step, revision: str) -> errors.StatusError | None:
        base = pod_from_template(daemons, daemons.spec.template)
        base = replace(base, metadata=replace(base.metadata, labels={**base.metadata.labels, REVISION_LABEL: revision}))
        made = iter([replace(base, spec=plan.daemon_spec(base.spec, node)) for node in step.create[:BURST]])
        failed = await slow_start(len(step.create[:BURST]), lambda: self.control.create(daemons, next(made)))
        for pod in step.delete[:BURST]:
            if pod.status.phase == "Succeeded":
                name = f"{pod.metadata.namespace}/{pod.metadata.name}"
                words = f"Found succeeded daemon pod {name} on node {plan.node_of(pod)}, will try to delete it"
                self.recorder.event(daemons, "Normal", "SucceededDaemonPod", words)
        gone = [functools.partial(self.control.delete, daemons, pod) for pod in step.delete[:BURST]]
        outcomes = [failed, *await in_parallel(gone)]
        return next((found for found in outcomes if found is not None), None)

    def _until_available(self, daemons: apps_v1.DaemonSet, pods: list[core_v1.Pod], wait: float | None) -> float | None:
        seconds, now = daemons.spec.min_ready_seconds or 0, self.context.clock.now()
        waits = [left for pod in pods if (left := podstate.seconds_until_available(pod, seconds, now))]
        return min([*waits, *([wait] if wait is not None else [])], default=None)
