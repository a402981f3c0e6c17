"""What /metrics tells of admission, under upstream's names."""

from __future__ import annotations

from time import perf_counter
from typing import Final, Literal

from pybernetes.apiserver.admission import Operation
from pybernetes.telemetry.metrics import Counter, Histogram, Registry

PREFIX: Final = "apiserver_admission_"
STEP: Final = ("type", "operation", "rejected")
NAMED: Final = ("name", *STEP)
POLICY: Final = ("policy", "policy_binding", "error_type", "enforcement_action")
BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
CHECK_BUCKETS: Final = (0.0000005, 0.001, 0.01, 0.1, 1.0)
CEL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SPLIT: Final = "identified by name and broken out for each operation and API resource and type (validate or admit)."

Kind = Literal["admit", "validate"]


class AdmissionMetrics:
    """Of all plugins, webhooks and policies of a server."""

    def __init__(self) -> None:
        self.steps = Histogram(f"{PREFIX}step_admission_duration_seconds", "Admission sub-step latency histogram in seconds, broken out for each operation and API resource and step type (validate or admit).", STEP, BUCKETS)  # fmt: skip
        self.controllers = Histogram(f"{PREFIX}controller_admission_duration_seconds", f"Admission controller latency histogram in seconds, {_SPLIT}", NAMED, BUCKETS)  # fmt: skip
        self.webhooks = Histogram(f"{PREFIX}webhook_admission_duration_seconds", f"Admission webhook latency histogram in seconds, {_SPLIT}", NAMED, (*BUCKETS, 10.0, 25.0))  # fmt: skip
        self.rejections = Counter(f"{PREFIX}webhook_rejection_count", "Admission webhook rejection count, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify an error type (calling_webhook_error or apiserver_internal_error if an error occurred; no_error otherwise) and optionally a non-zero rejection code if the webhook rejects the request with an HTTP status code (honored by the apiserver when the code is greater or equal to 400). Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.", ("name", "type", "operation", "error_type", "rejection_code"))  # fmt: skip
        self.fail_open = Counter(f"{PREFIX}webhook_fail_open_count", "Admission webhook fail open count, identified by name and broken out for each admission type (validating or admit).", ("name", "type"))  # fmt: skip
        self.checks = Counter("apiserver_validating_admission_policy_check_total", "Validation admission policy check total, labeled by policy and further identified by binding and enforcement action taken.", POLICY)  # fmt: skip
        self.check_seconds = Histogram("apiserver_validating_admission_policy_check_duration_seconds", "Validation admission latency for individual validation expressions in seconds, labeled by policy and further including binding and enforcement action taken.", POLICY, CHECK_BUCKETS)  # fmt: skip
        self.compilations = Histogram("apiserver_cel_compilation_duration_seconds", "CEL compilation time in seconds.", (), CEL_BUCKETS)  # fmt: skip
        self.evaluations = Histogram("apiserver_cel_evaluation_duration_seconds", "CEL evaluation time in seconds.", (), CEL_BUCKETS)  # fmt: skip

    def add_to(self, metrics: Registry) -> None:
        metrics.add(
            self.steps, self.controllers, self.webhooks, self.rejections, self.fail_open, self.checks,
            self.check_seconds, self.compilations, self.evaluations,
        )  # fmt: skip

    def refused(self, name: str, kind: Kind, operation: Operation, of_plugin: float, of_step: float) -> None:
        """By a plugin, after so many seconds of its own and of all."""
        self.controllers.observe(of_plugin, name, kind, operation, "true")
        self.steps.observe(of_step, kind, operation, "true")

    def webhook_called(
        self, name: str, kind: str, operation: Operation, began: float, *, error: str = "", code: int = 0
    ) -> None:
        """`error` is why the request was rejected, if it was, by upstream's names; `began` is of `perf_counter`."""
        rejected = "true" if error else "false"
        self.webhooks.observe(perf_counter() - began, name, kind, operation, rejected)
        if error:
            self.rejections.inc(name, kind, operation, error, str(min(code, 600)))

    def checked(self, policy: str, binding: str, action: str, seconds: float, *, error: str = "no_error") -> None:
        """One validation of a policy: `action` is allow, deny, audit or warn."""
        labels = policy, binding, error, action
        self.checks.inc(*labels)
        self.check_seconds.observe(seconds, *labels)
