"""Metrics as text: names, labels and digits."""

from pybernetes.telemetry.metrics import Counter, Gauge, Histogram, Registry


def test_numbers_keep_their_digits() -> None:
    """Six digits are too few for a moment, or for a counter of a busy server."""
    many, moment = Counter("many_total", "Many."), Gauge("moment_seconds", "When.")
    few = Histogram("few_seconds", "Some.", ("name",), (1e-8, 9.999999999999999e-06, 0.5, 10.0))
    many.inc(by=1234567)
    moment.set(1795910000.25)
    few.observe(0.1, 'a"b')
    few.observe(0.2, 'a"b')
    registry = Registry()
    registry.add(many, moment, few)
    assert registry.render().splitlines() == [
        "# HELP many_total Many.",
        "# TYPE many_total counter",
        "many_total 1234567",
        "# HELP moment_seconds When.",
        "# TYPE moment_seconds gauge",
        "moment_seconds 1795910000.25",
        "# HELP few_seconds Some.",
        "# TYPE few_seconds histogram",
        'few_seconds_bucket{name="a\\"b",le="1e-08"} 0',
        'few_seconds_bucket{name="a\\"b",le="9.999999999999999e-06"} 0',
        'few_seconds_bucket{name="a\\"b",le="0.5"} 2',
        'few_seconds_bucket{name="a\\"b",le="10"} 2',
        'few_seconds_bucket{name="a\\"b",le="+Inf"} 2',
        'few_seconds_sum{name="a\\"b"} 0.30000000000000004',
        'few_seconds_count{name="a\\"b"} 2',
    ]
