"""What goes wrong with a cluster, told as people need it: the cause, and the next step."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the line that mends it ("" where there is none)."""

    cause: str
    next_step: str = ""


class ClusterError(Exception):
    """Base of what the cluster's verbs raise. `answers` is False where the cluster is not there, or does not run.

    `is_usage` is True where what was asked for can never be had: a value that no option takes, a name that none has.
    """

    answers = True
    is_usage = False

    def __init__(self, cause: str, next_step: str = "") -> None:
        super().__init__(cause)
        self.problems = [Problem(cause, next_step)]


def suggestion(given: str, there_are: Iterable[str], otherwise: str, prefix: str = "") -> str:
    """A next step for a name that does not exist: the nearest of those that do, after the prefix."""
    import difflib

    near = difflib.get_close_matches(given, list(there_are), 1, 0.6)
    return prefix + near[0] if near else otherwise
