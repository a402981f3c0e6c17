"""The loop around the decisions: each autoscaler every sync period, and at once when its spec changes."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api import errors
from pybernetes.api.quantity import Quantity
from pybernetes.api.scheme import Resource
from pybernetes.api.selectors import labels
from pybernetes.api.selectors.labels import LabelSelector, SelectorError
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.client.discovery import find_kind
from pybernetes.controllers.context import Context, KeyedController, key_of
from pybernetes.controllers.hpa.custom import Asker
from pybernetes.controllers.hpa.found import Found, MetricFailedError
from pybernetes.controllers.hpa.limits import Bounds, History, Recommendation, Verdict, limit, limit_by, stabilize
from pybernetes.controllers.hpa.metrics import combined, evaluate
from pybernetes.controllers.hpa.replicas import Readiness, Situation, Tolerance
from pybernetes.controllers.hpa.status import NoTargetError, Outcome, status_of

LONGEST_WINDOW = 3600.0
"""Seconds: no window of a behaviour may be longer."""


class HorizontalPodAutoscalerController(KeyedController):
    """Sets the scale of each autoscaler's target, and says why in its status."""

    name = "horizontal-pod-autoscaler"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.autoscalers = context.informers.of(v2.HorizontalPodAutoscaler)
        self.pods = context.informers.of(core_v1.Pod)
        self.recorder = context.recorder(self.name)
        self._histories: dict[str, History] = {}
        self._selectors: dict[Key, LabelSelector] = {}
        self._podless: set[Key] = set()
        self.autoscalers.subscribe(self._on_autoscaler)
        self.pods.subscribe(self._on_pod)

    def _on_autoscaler(self, old: v2.HorizontalPodAutoscaler | None, new: v2.HorizontalPodAutoscaler | None) -> None:
        """Its own status is no reason to look again."""
        if new is None and old is not None:
            self._histories.pop(old.metadata.uid or "", None)
            self._selectors.pop(key_of(old), None)
            self._podless.discard(key_of(old))
        elif new is not None and (old is None or old.spec != new.spec):
            self.enqueue(new)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """The first pod of a target that had none: what is wrong with it is told now, and not a period later."""
        if old is not None or new is None or not self._podless:
            return
        for key in [key for key in self._podless if key[0] == new.metadata.namespace]:
            selector = self._selectors.get(key)
            if selector is not None and selector.matches(new.metadata.labels):
                self._podless.discard(key)
                self.queue.add(key)

    async def reconcile(self, key: Key) -> float | None:
        autoscaler = self.autoscalers.get(key[1], key[0])
        if autoscaler is None or autoscaler.metadata.deletion_timestamp is not None:
            return None
        outcome = Outcome(autoscaler.status.current_replicas or 0, autoscaler.status.desired_replicas)
        try:
            await self._scale(autoscaler, outcome)
        except NoTargetError as error:
            self._tell(autoscaler, "FailedGetScale", str(error))
            words = f"the HPA controller was unable to get the target's current scale: {error}"
            outcome.set("AbleToScale", False, "FailedGetScale", words)
        status = status_of(autoscaler, outcome, self.context.now())
        if status != autoscaler.status:
            self.autoscalers.assume(
                await self.client.update_status(msgspec.structs.replace(autoscaler, status=status))
            )  # fmt: skip
        return self.context.options.horizontal_pod_autoscaler_sync_period

    async def _scale(self, autoscaler: v2.HorizontalPodAutoscaler, outcome: Outcome) -> None:
        resource, scale = await self._target(autoscaler)
        outcome.set(
            "AbleToScale", True, "SucceededGetScale", "the HPA controller was able to get the target's current scale"
        )  # fmt: skip
        current = scale["spec"].get("replicas", 0)
        outcome.current = outcome.desired = current
        desired, reason = await self._desired(autoscaler, scale, outcome)
        if desired == current:
            return
        try:
            await self.client.update_tree(
                scale | {"spec": scale["spec"] | {"replicas": desired}}, resource, subresource="scale"
            )  # fmt: skip
        except errors.StatusError as error:
            self._tell(autoscaler, "FailedRescale", f"New size: {desired}; reason: {reason}; error: {error.message}")
            words = f"the HPA controller was unable to update the target scale: {error.message}"
            outcome.set("AbleToScale", False, "FailedUpdateScale", words)
            return
        words = f"the HPA controller was able to update the target scale to {desired}"
        outcome.set("AbleToScale", True, "SucceededRescale", words)
        self.recorder.event(autoscaler, "Normal", "SuccessfulRescale", f"New size: {desired}; reason: {reason}")
        self._history(autoscaler).note_change(self.context.clock.monotonic(), current, desired)
        outcome.desired, outcome.rescaled = desired, True

    async def _target(self, autoscaler: v2.HorizontalPodAutoscaler) -> tuple[Resource, dict[str, Any]]:
        target = autoscaler.spec.scale_target_ref
        api_version = target.api_version or "v1"
        try:
            resource = await find_kind(self.client, api_version, target.kind)
            if resource is None:
                raise NoTargetError(f'no matches for kind "{target.kind}" in version "{api_version}"')
            scale = await self.client.get(
                resource, target.name, autoscaler.metadata.namespace or "", subresource="scale"
            )  # fmt: skip
        except errors.StatusError as error:
            raise NoTargetError(error.message) from error
        return resource, scale

    async def _desired(
        self, autoscaler: v2.HorizontalPodAutoscaler, scale: dict[str, Any], outcome: Outcome
    ) -> tuple[int, str]:
        """How many replicas there are to be, and the reason for the event."""
        spec, current = autoscaler.spec, outcome.current
        minimum = 1 if spec.min_replicas is None else spec.min_replicas
        if current == 0 and minimum != 0:
            words = "scaling is disabled since the replica count of the target is zero"
            outcome.set("ScalingActive", False, "ScalingDisabled", words)
            return 0, ""
        if current > spec.max_replicas:
            return spec.max_replicas, "Current number of replicas above Spec.MaxReplicas"
        if current < minimum:
            return minimum, "Current number of replicas below Spec.MinReplicas"
        found = await self._evaluate(autoscaler, scale, outcome)
        if found is None:
            return current, ""
        desired = self._limited(autoscaler, found.replicas, Bounds(minimum, spec.max_replicas, current), outcome)
        return desired, f"{found.name} above target" if found.replicas > current else "All metrics below target"

    async def _evaluate(
        self, autoscaler: v2.HorizontalPodAutoscaler, scale: dict[str, Any], outcome: Outcome
    ) -> Found | None:
        """What the metrics ask for; None if they give no answer that could be trusted, which is told."""
        selector = self._selector(autoscaler, scale, outcome)
        if selector is None:
            return None
        situation = self._situation(autoscaler, scale, selector, outcome.current)
        asker = Asker(self.client, autoscaler.metadata.namespace or "")
        found: list[Found] = []
        failures: list[MetricFailedError] = []
        for metric in autoscaler.spec.metrics:
            try:
                found.append(await evaluate(asker, metric, str(selector), situation))
                outcome.metrics.append(found[-1].status)
            except MetricFailedError as error:
                failures.append(error)
                self._tell(autoscaler, error.reason, error.message)
        if failures and (not found or combined(found).replicas < outcome.current):
            first = failures[0]
            count = f"{len(failures)} invalid out of {len(autoscaler.spec.metrics)}"
            words = f"invalid metrics ({count}), first error is: {first.what}: {first.message}"
            self._tell(autoscaler, "FailedComputeMetricsReplicas", words)
            words = f"the HPA was unable to compute the replica count: {first.message}"
            outcome.set("ScalingActive", False, first.reason, words)
            return None
        best = combined(found)
        words = f"the HPA was able to successfully calculate a replica count from {best.name}"
        outcome.set("ScalingActive", True, "ValidMetricFound", words)
        return best

    def _selector(
        self, autoscaler: v2.HorizontalPodAutoscaler, scale: dict[str, Any], outcome: Outcome
    ) -> LabelSelector | None:
        """The target's pods; None, told, if it names none, or pods that another autoscaler scales as well."""
        text: str = (scale.get("status") or {}).get("selector") or ""
        if not text:
            words = "the HPA target's scale is missing a selector"
            self._refuse(autoscaler, outcome, ("SelectorRequired", "selector is required"), "InvalidSelector", words)  # fmt: skip
            return None
        try:
            selector = labels.parse(text)
        except SelectorError as error:
            words = f"couldn't convert selector into a corresponding internal selector object: {error}"
            self._refuse(autoscaler, outcome, ("InvalidSelector", words), "InvalidSelector", words)
            return None
        self._selectors[key_of(autoscaler)] = selector
        others = self._rivals(autoscaler.metadata.namespace or "", selector)
        if len(others) > 1:
            shown = " ".join(f"{{{name} {namespace}}}" for namespace, name in others)
            words = f"pods by selector {text} are controlled by multiple HPAs: [{shown}]"
            self._refuse(autoscaler, outcome, ("AmbiguousSelector", words), "AmbiguousSelector", words)
            return None
        return selector

    def _refuse(
        self, autoscaler: v2.HorizontalPodAutoscaler, outcome: Outcome, event: tuple[str, str], reason: str, words: str
    ) -> None:
        self._tell(autoscaler, *event)
        self._tell(autoscaler, "FailedComputeMetricsReplicas", event[1])
        outcome.set("ScalingActive", False, reason, words)

    def _rivals(self, namespace: str, selector: LabelSelector) -> list[Key]:
        """All autoscalers with a hand in the pods that this selector names."""
        near = [(key, other) for key, other in self._selectors.items() if key[0] == namespace]
        if len(near) < 2:
            return []
        pods = self.pods.list(namespace, selector)
        return sorted(key for key, other in near if any(other.matches(pod.metadata.labels) for pod in pods))

    def _situation(
        self, autoscaler: v2.HorizontalPodAutoscaler, scale: dict[str, Any], selector: LabelSelector, current: int
    ) -> Situation:
        options, behavior = self.context.options, autoscaler.spec.behavior
        usual = options.horizontal_pod_autoscaler_tolerance
        rules = (behavior.scale_down, behavior.scale_up) if behavior else (None, None)
        down, up = (
            usual if one is None or one.tolerance is None else Quantity.parse(one.tolerance).milli_value / 1000
            for one in rules
        )
        pods = self.pods.list(autoscaler.metadata.namespace or "", selector)
        if not pods:
            self._podless.add(key_of(autoscaler))
        readiness = Readiness(
            options.horizontal_pod_autoscaler_cpu_initialization_period,
            options.horizontal_pod_autoscaler_initial_readiness_delay,
        )
        running: int = (scale.get("status") or {}).get("replicas") or 0
        return Situation(current, pods, {}, "", self.context.clock.now(), Tolerance(down, up), readiness, running)

    def _limited(self, autoscaler: v2.HorizontalPodAutoscaler, wanted: int, bounds: Bounds, outcome: Outcome) -> int:
        """What stabilisation, policies and bounds leave of the wish, with their conditions."""
        now, history, behavior = self.context.clock.monotonic(), self._history(autoscaler), autoscaler.spec.behavior
        if not history.recommendations:
            history.recommendations.append(Recommendation(now, bounds.current))
        stable = stabilize(history, now, wanted, bounds.current, self._windows(behavior))
        outcome.set("AbleToScale", True, stable.reason, stable.message)
        history.forget(now - LONGEST_WINDOW)
        verdict: Verdict = (
            limit_by(behavior, history, now, stable.replicas, bounds) if behavior else limit(stable.replicas, bounds)
        )
        outcome.set("ScalingLimited", verdict.replicas != stable.replicas, verdict.reason, verdict.message)
        return verdict.replicas

    def _windows(self, behavior: v2.HorizontalPodAutoscalerBehavior | None) -> tuple[float, float]:
        """Stabilisation of growing and shrinking, in seconds."""
        up = behavior.scale_up.stabilization_window_seconds if behavior and behavior.scale_up else None
        down = behavior.scale_down.stabilization_window_seconds if behavior and behavior.scale_down else None
        usual = self.context.options.horizontal_pod_autoscaler_downscale_stabilization
        return float(up or 0), usual if down is None else float(down)

    def _history(self, autoscaler: v2.HorizontalPodAutoscaler) -> History:
        return self._histories.setdefault(autoscaler.metadata.uid or str(key_of(autoscaler)), History())

    def _tell(self, autoscaler: v2.HorizontalPodAutoscaler, reason: str, message: str) -> None:
        self.recorder.event(autoscaler, "Warning", reason, message)
