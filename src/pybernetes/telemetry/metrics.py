"""Counters, gauges and histograms in Prometheus' text format 0.0.4."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
"""Of what `Registry.render` makes: newer scrapers refuse text that does not say what it is."""
LATENCY_SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)  # fmt: skip


def _labels(names: tuple[str, ...], values: tuple[str, ...], extra: str = "") -> str:
    pairs = [f'{n}="{_escape(v)}"' for n, v in zip(names, values, strict=True)]
    if extra:
        pairs.append(extra)
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _number(number: float) -> str:
    """As short as can be, but with all digits that tell it from others, as Go prints it."""
    return short if float(short := format(number, "g")) == number else repr(number)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Metric:
    """A named family of series, one per tuple of label values."""

    kind = "untyped"

    def __init__(self, name: str, help: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.help, self.labels = name, help, labels

    def lines(self) -> Iterator[str]:
        raise TypeError(f"{type(self).__name__} has no series")


class Counter(Metric):
    """A number that only grows."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: tuple[str, ...] = ()) -> None:
        super().__init__(name, help, labels)
        self._values: dict[tuple[str, ...], float] = {}

    def inc(self, *values: str, by: float = 1) -> None:
        self._values[values] = self._values.get(values, 0) + by

    def lines(self) -> Iterator[str]:
        for values, number in self._values.items():
            yield f"{self.name}{_labels(self.labels, values)} {_number(number)}"


class Gauge(Counter):
    """A number that goes up and down; `read` replaces it by a function asked at each scrape."""

    kind = "gauge"

    def __init__(
        self, name: str, help: str, labels: tuple[str, ...] = (), read: Callable[[], float] | None = None
    ) -> None:
        super().__init__(name, help, labels)
        self._read = read

    def set(self, number: float, *values: str) -> None:
        self._values[values] = number

    def lines(self) -> Iterator[str]:
        if self._read is not None:
            self._values[()] = self._read()
        return super().lines()


class Computed(Metric):
    """Series that are read off something else at each scrape: pairs of label values and a number."""

    def __init__(
        self,
        name: str,
        help: str,
        labels: tuple[str, ...],
        read: Callable[[], Iterable[tuple[tuple[str, ...], float]]],
        *,
        kind: str = "gauge",
    ) -> None:
        super().__init__(name, help, labels)
        self.kind = kind
        self._read = read

    def lines(self) -> Iterator[str]:
        for values, number in self._read():
            yield f"{self.name}{_labels(self.labels, values)} {_number(number)}"


class Series:
    """The observations of a histogram under one tuple of label values."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, number: float) -> None:
        # Nearly everything is faster than the first bound, and this is called for everything.
        self.counts[0 if number <= self.bounds[0] else bisect_left(self.bounds, number)] += 1
        self.total += number


class Histogram(Metric):
    """Observations in buckets."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        help: str,
        labels: tuple[str, ...] = (),
        buckets: tuple[float, ...] = LATENCY_SECONDS,
        read: Callable[[], Iterable[tuple[tuple[str, ...], Series]]] | None = None,
    ) -> None:
        """`read` replaces its series by those that something else keeps, with these very buckets."""
        super().__init__(name, help, labels)
        self._bounds = buckets
        self._series: dict[tuple[str, ...], Series] = {}
        self._read = read

    def series(self, *values: str) -> Series:
        """Those of these label values, for who observes often."""
        found = self._series.get(values)
        if found is None:
            found = self._series[values] = Series(self._bounds)
        return found

    def observe(self, number: float, *values: str) -> None:
        self.series(*values).observe(number)

    def lines(self) -> Iterator[str]:
        for values, series in self._series.items() if self._read is None else self._read():
            running = 0
            for bound, count in zip((*self._bounds, None), series.counts, strict=True):
                running += count
                le = f'le="{"+Inf" if bound is None else _number(bound)}"'
                yield f"{self.name}_bucket{_labels(self.labels, values, le)} {running}"
            yield f"{self.name}_sum{_labels(self.labels, values)} {_number(series.total)}"
            yield f"{self.name}_count{_labels(self.labels, values)} {running}"


class Registry:
    """The metrics of one process."""

    def __init__(self) -> None:
        self._metrics: list[Metric] = []

    def add(self, *metrics: Metric) -> None:
        self._metrics.extend(metrics)

    def render(self) -> str:
        """What /metrics answers."""
        out: list[str] = []
        for metric in self._metrics:
            out += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
        return "\n".join(out) + "\n"
