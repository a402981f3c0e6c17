"""p8s doctor"""

import argparse
import os

from pybernetes.cli.console import FAILED, Console
from pybernetes.cli.profiles import add_output, add_profile, chosen

EXAMPLES = """exit codes: 0 a cluster can start here, 1 something prevents it

examples:
  sudo p8s doctor
  sudo p8s doctor -o json"""

SIGNS = {"ok": "✓", "note": "!", "fail": "✗"}
COLOURS = {"ok": "32", "note": "33", "fail": "31"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cluster.doctor import FAIL, Machine, examine

    checks = examine(Machine(chosen(arguments), os.environ))
    if arguments.output == "json":
        console.json(checks)
    else:
        for check in checks:
            sign = SIGNS[check.state]
            if console.has_colours:
                sign = f"\x1b[{COLOURS[check.state]}m{sign}\x1b[0m"
            console.line(f"{sign} {check.name:<13} {check.found}")
            if check.fix:
                console.line(f"  try: {check.fix}")
    return FAILED if any(check.state == FAIL for check in checks) else 0
