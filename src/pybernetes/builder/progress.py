"""What a build tells while it works. Events of steps that run side by side come mixed; `number` says whose they are."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepsCounted:
    """How many steps there are, as far as is known: told before the first, and again when a base image brings more."""

    total: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins. `name` is what people read: `[2/5] RUN apt-get update`, `[build 1/3] FROM golang`."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class StepOutput:
    """Bytes that the step's process wrote, as they came; `stream` is 1 for stdout, 2 for stderr."""

    number: int
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StepDone:
    """The step has ended well; `cached` if its result was there already."""

    number: int
    cached: bool = False


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The step has ended the build; `message` is the cause alone. BuildError follows."""

    number: int
    message: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something in the Dockerfile is allowed and unwise; `line` is where."""

    message: str
    line: int


Event = StepsCounted | StepStarted | StepOutput | StepDone | StepFailed | Warned
Report = Callable[[Event], None]
"""Called on the event loop, in the order of events; must not block."""
