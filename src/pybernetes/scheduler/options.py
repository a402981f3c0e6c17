"""The scheduler's flags, under upstream's names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes import flags
from pybernetes.client.serving_options import ServingOptions

NAME = "kube-scheduler"


@dataclass(frozen=True)
class Options(ServingOptions):
    """Names and defaults are upstream's."""

    secure_port: int = flags.option(10259, "where health and metrics are served by TLS; 0 for nowhere")
    kubeconfig: str = flags.option("", "credentials for the API server")
    leader_elect: bool = flags.option(True, "work only while holding the lease kube-system/kube-scheduler")
    v: int = flags.option(0, "verbosity of the log")


def parse(arguments: Sequence[str]) -> Options:
    """Read the flags; exits with a message about a wrong one, as command lines do."""
    return flags.parse(Options, "p8s scheduler", arguments, "Finds a node for each pod.")


def parser() -> argparse.ArgumentParser:
    """Of the flags."""
    return flags.parser(Options, "p8s scheduler")
