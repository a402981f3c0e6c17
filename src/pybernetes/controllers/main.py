"""p8s controller-manager: the controllers as a process of their own, with kube-controller-manager's flags."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pybernetes.client.config import ConfigError
from pybernetes.client.election import LeadershipLostError
from pybernetes.controllers.manager import run_alone as run_controllers
from pybernetes.controllers.options import parse
from pybernetes.process import run_alone


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit code 1 with a message for an unusable configuration or a lost lease."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    return run_alone(
        "controller-manager", lambda: run_controllers(options), ConfigError, LeadershipLostError, verbosity=options.v
    )  # fmt: skip
