"""`p8s kubelet`, `python -m pybernetes.kubelet`: a node alone, with upstream's flags."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec
import yaml

from pybernetes.client.config import ConfigError
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.options import parse
from pybernetes.kubelet.run import run
from pybernetes.process import report, run_alone


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; containers go on running. Returns the exit code."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except (OSError, ValueError, msgspec.ValidationError, yaml.YAMLError) as error:
        return report(error)
    return run_alone("kubelet", lambda: run(options), ConfigError, CRIError, verbosity=options.verbosity)
