"""Switching an addon, whichever way."""

from __future__ import annotations

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing


def add_switch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ADDON")
    add_output(parser)


def run_switch(arguments: argparse.Namespace, console: Console, *, on: bool, as_it_was: str) -> int:
    """Safe to repeat. `as_it_was` is said where nothing had to be done."""
    from pybernetes.cluster.addons import find, serving_elsewhere, switch

    addon, profile = find(arguments.name), existing(arguments)
    changed = switch(profile.name, addon, on=on)
    if arguments.output:
        console.json({"addon": addon.name, "enabled": on, "changed": changed})
        return 0
    console.line(f"{addon.name} is {'enabled' if on else 'disabled'}" + ("" if changed else as_it_was))
    if on and (other := serving_elsewhere(profile, addon)):
        console.note(f"service {other} is asked meanwhile, until what was installed with it is uninstalled")
    return 0
