"""`python -m pybernetes.kubelet`: a node alone, with upstream's flags."""

import asyncio
import sys

from pybernetes.kubelet.options import parse_arguments
from pybernetes.kubelet.run import run
from pybernetes.telemetry import log


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted."""
    options = parse_arguments(arguments)
    log.configure("kubelet", verbosity=options.verbosity)
    try:
        asyncio.run(run(options))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
