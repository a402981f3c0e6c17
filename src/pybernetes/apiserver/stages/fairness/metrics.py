"""`apiserver_flowcontrol_*`: read off flows and levels when somebody asks, but for the durations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pybernetes.apiserver.stages.fairness.fairness import Fairness
from pybernetes.apiserver.stages.fairness.level import Flow, Level
from pybernetes.telemetry.metrics import Computed, Histogram, Registry

PREFIX: Final = "apiserver_flowcontrol_"
BUCKETS: Final = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
FLOW: Final = ("priority_level", "flow_schema")


def wait_duration() -> Histogram:
    """Of the requests that have to wait, whether or not they get to run."""
    return Histogram(
        f"{PREFIX}request_wait_duration_seconds",
        "Length of time a request spent waiting in its queue",
        (*FLOW, "execute"),
        BUCKETS,
    )


def execution_duration() -> Histogram:
    return Histogram(
        f"{PREFIX}request_execution_seconds",
        "Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution in the API "
        "Priority and Fairness subsystem",
        FLOW,
        BUCKETS,
    )


def add_metrics(metrics: Registry, fairness: Fairness) -> None:
    """Everything that is a number of now."""

    def of_flows(read: Callable[[Flow], float]) -> Callable[[], Iterator[tuple[tuple[str, ...], float]]]:
        return lambda: (((flow.level.name, flow.name), read(flow)) for flow in fairness.flows.values())

    def of_levels(read: Callable[[Level], float]) -> Callable[[], Iterator[tuple[tuple[str, ...], float]]]:
        return lambda: (((level.name,), read(level)) for level in fairness.levels.values())

    def rejected() -> Iterator[tuple[tuple[str, ...], float]]:
        for flow in fairness.flows.values():
            for reason, count in flow.rejected.items():
                yield (flow.level.name, flow.name, reason), count

    metrics.add(
        Computed(
            f"{PREFIX}rejected_requests_total",
            "Number of requests rejected by API Priority and Fairness subsystem",
            (*FLOW, "reason"),
            rejected,
            kind="counter",
        ),
        Computed(
            f"{PREFIX}dispatched_requests_total",
            "Number of requests executed by API Priority and Fairness subsystem",
            FLOW,
            of_flows(lambda flow: flow.dispatched),
            kind="counter",
        ),
        Computed(
            f"{PREFIX}seat_fair_frac",
            "Fair fraction of server's concurrency to allocate to each priority level that can use it",
            (),
            lambda: [((), fairness.fraction)],
        ),
    )
    for name, help, read_flow in _OF_FLOWS:
        metrics.add(Computed(PREFIX + name, help, FLOW, of_flows(read_flow)))
    for name, help, read_level in _OF_LEVELS:
        metrics.add(Computed(PREFIX + name, help, FLOW[:1], of_levels(read_level)))


_OF_FLOWS: Final[tuple[tuple[str, str, Callable[[Flow], float]], ...]] = (
    (
        "current_inqueue_requests",
        "Number of requests currently pending in queues of the API Priority and Fairness subsystem",
        lambda flow: flow.waiting,
    ),
    (
        "current_executing_requests",
        "Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and "
        "Fairness subsystem",
        lambda flow: flow.executing,
    ),
    (
        "current_executing_seats",
        "Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage "
        "otherwise) requests in the API Priority and Fairness subsystem",
        lambda flow: flow.seats,
    ),
)
_OF_LEVELS: Final[tuple[tuple[str, str, Callable[[Level], float]], ...]] = (
    (
        "nominal_limit_seats",
        "Nominal number of execution seats configured for each priority level",
        lambda level: level.limits.nominal,
    ),
    (
        "lower_limit_seats",
        "Configured lower bound on number of execution seats available to each priority level",
        lambda level: level.limits.lower,
    ),
    (
        "upper_limit_seats",
        "Configured upper bound on number of execution seats available to each priority level",
        lambda level: level.limits.upper,
    ),
    (
        "current_limit_seats",
        "current derived number of execution seats available to each priority level",
        lambda level: level.limit,
    ),
    (
        "demand_seats_smoothed",
        "Smoothed seat demands",
        lambda level: level.smoothed,
    ),
)
