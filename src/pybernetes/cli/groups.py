"""A command that has verbs, as `p8s node add`: a package with a module for each."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from types import ModuleType

from pybernetes.cli.console import Console


def add_verbs(parser: argparse.ArgumentParser, package: str, verbs: Mapping[str, str]) -> None:
    """A sub-parser for each verb (name -> help), filled in by its module in `package`."""
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, help in verbs.items():
        module = _module(package, name)
        sub = subparsers.add_parser(name, help=help, description=help, epilog=module.EXAMPLES)
        # `p8s node -p ci list` and `p8s node list -p ci` are the same.
        sub.add_argument("-p", "--profile", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.add_arguments(sub)


def run_verb(arguments: argparse.Namespace, package: str, console: Console) -> int:
    code: int = _module(package, arguments.verb).run(arguments, console)
    return code


def _module(package: str, verb: str) -> ModuleType:
    return importlib.import_module(f"{package}.{verb.replace('-', '_')}")
