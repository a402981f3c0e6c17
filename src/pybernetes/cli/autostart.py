"""What the verbs of p8s autostart say."""

import argparse

from pybernetes.cli.console import Console


def tell(arguments: argparse.Namespace, console: Console, words: str, *, on: bool, changed: bool) -> int:
    """How it is from now on; `changed` is False where it was so before."""
    if arguments.output:
        console.json({"profile": arguments.profile, "autostart": on, "changed": changed})
        return 0
    console.line(words + ("" if changed else ", as before"))
    return 0
