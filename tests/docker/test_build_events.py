"""A build's events as the classic builder's clients show them."""

import pytest

from pybernetes.builder.progress import Event, StepDone, StepFailed, StepOutput, StepStarted, Warned
from pybernetes.docker.handlers.build import told


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (StepStarted(1, "[2/5] RUN make"), ["Step 2/5 : RUN make\n"]),
        (StepStarted(1, "[build 1/3] FROM golang"), ["[build 1/3] FROM golang\n"]),
        (StepOutput(1, 1, b"half \xff"), ["half \ufffd"]),
        (StepDone(1, cached=True), [" ---> Using cache\n"]),
        (StepDone(1), []),
        (StepFailed(1, "why"), []),
        (Warned("unwise", 3), ["[Warning] unwise\n"]),
    ],
)
def test_what_is_told(event: Event, expected: list[str]) -> None:
    assert told(event) == expected
