"""p8s addons list"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing

EXAMPLES = """examples:
  sudo p8s addons list
  sudo p8s addons list -o json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cluster.addons import ADDONS, is_enabled

    profile = existing(arguments)
    found = [
        {"name": each.name, "enabled": is_enabled(profile, each), "fixed": each.fixed, "what": each.what}
        for each in ADDONS
    ]
    if arguments.output == "json":
        console.json(found)
        return 0
    rows = [[str(each["name"]), state(each), str(each["what"])] for each in found]
    console.table(["ADDON", "STATUS", "WHAT IT IS"], rows)
    return 0


def state(addon: dict[str, object]) -> str:
    return "always on" if addon["fixed"] else "enabled" if addon["enabled"] else "disabled"
