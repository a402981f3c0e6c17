"""`p8s kubelet`, `python -m pybernetes.kubelet`: a node alone, with upstream's flags."""

import asyncio

from pybernetes.kubelet.options import parse
from pybernetes.kubelet.run import run
from pybernetes.telemetry import log


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted."""
    options = parse(arguments)
    log.configure("kubelet", verbosity=options.verbosity)
    try:
        asyncio.run(run(options))
    except KeyboardInterrupt:
        return 130
    return 0
