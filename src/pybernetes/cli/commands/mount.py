"""p8s mount"""

from __future__ import annotations

import argparse

from pybernetes.cli.console import Console, plain
from pybernetes.cli.parser import wrong
from pybernetes.cli.profiles import add_output, add_profile, existing
from pybernetes.cluster.profile import Profile

EXAMPLES = """a path of this machine is there for hostPath volumes anyway; a mount shows it at another path, for good:
it returns at once, comes back with p8s start after a reboot, and ends with p8s mount remove or p8s delete

examples:
  sudo p8s mount ~/site:/data/site
  sudo p8s mount /srv/models:/data/models --read-only
  sudo p8s mount list
  sudo p8s mount remove /data/site"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)
    parser.usage = "p8s mount [-p PROFILE] [-o json] [--read-only] HOST:NODE | list | remove NODE"
    parser.add_argument("what", metavar="HOST:NODE|list|remove", help="the directory, and the path that pods name")
    parser.set_defaults(further=[])
    parser.add_argument("--read-only", action="store_true", help="pods cannot write to it")


def run(arguments: argparse.Namespace, console: Console) -> int:
    if len(arguments.further) != (arguments.what == "remove"):
        raise wrong(
            f"p8s mount {arguments.what} takes {'one path' if arguments.what == 'remove' else 'no path'}",
            "p8s mount --help",
        )
    profile = existing(arguments)
    if arguments.what == "list":
        show(profile, arguments, console)
    elif arguments.what == "remove":
        remove(profile, arguments, console)
    else:
        add(profile, arguments, console)
    return 0


def add(profile: Profile, arguments: argparse.Namespace, console: Console) -> None:
    from pybernetes.cluster import locks, mounts

    source, separator, target = arguments.what.partition(":")
    if not separator or not source or not target:
        raise wrong(f"{arguments.what!r} is not HOST:NODE", "p8s mount --help")
    with locks.of_profile(profile.name):
        mount = mounts.add(profile, source, target, read_only=arguments.read_only)
    if arguments.output == "json":
        console.json(mount)
        return
    console.step("📁", f"{mount.source} is {mount.target} for pods" + (" (read-only)" if mount.read_only else ""))


def remove(profile: Profile, arguments: argparse.Namespace, console: Console) -> None:
    from pybernetes.cluster import locks, mounts

    with locks.of_profile(profile.name):
        mount = mounts.remove(profile, arguments.further[0])
    if arguments.output == "json":
        console.json({"removed": mount})
        return
    console.step("🧹", f"{mount.target} removed; {mount.source} is as it was")


def show(profile: Profile, arguments: argparse.Namespace, console: Console) -> None:
    from pybernetes.cluster import mounts

    found = mounts.kept(profile)
    if arguments.output == "json":
        console.json([{**plain(each), "mounted": mounts.is_mounted(each)} for each in found])
    elif found:
        rows = [
            [each.source, each.target, "ro" if each.read_only else "rw", "yes" if mounts.is_mounted(each) else "no"]
            for each in found
        ]
        console.table(["HOST", "NODE", "MODE", "MOUNTED"], rows)
    else:
        console.line("there is no mount; p8s mount HOST:NODE makes one")
