"""What goes wrong with a cluster, told as people need it: the cause, and the next step."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the line that mends it ("" where there is none)."""

    cause: str
    next_step: str = ""


class ClusterError(Exception):
    """Base of what the cluster's verbs raise."""

    def __init__(self, cause: str, next_step: str = "") -> None:
        super().__init__(cause)
        self.problems = [Problem(cause, next_step)]
