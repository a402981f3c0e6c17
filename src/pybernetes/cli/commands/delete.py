"""p8s delete"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, add_profile, meant

EXAMPLES = """examples:
  sudo p8s delete
  sudo p8s delete --profile ci
  sudo p8s delete --all

Objects that a cluster keeps in an etcd (p8s start --store etcd://...) stay there, since other machines may use them:
a start with the same --store finds them again, and
  etcdctl --endpoints=HOST:PORT del --prefix /registry/
removes them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)
    parser.add_argument("--all", action="store_true", help="every cluster of this machine")


def run(arguments: argparse.Namespace, console: Console) -> int:
    profiles = meant(arguments)
    from pybernetes.cluster.delete import delete

    if arguments.output:
        console.only_json()
    deleted = []
    for profile in profiles:
        console.live(f"ending and removing what cluster {profile.name!r} has made")
        removed = delete(profile)
        deleted.append({"profile": profile.name, "removed": list(removed), "store": profile.settings.store})
        console.step("🧹", f"cluster {profile.name!r} deleted")
        for what in removed:
            console.line(f"   removed: {what}")
        if profile.settings.store.startswith("etcd://"):
            servers = profile.settings.store.removeprefix("etcd://")
            console.line(f"its objects are still in {profile.settings.store}; where nobody else uses them:")
            console.line(f"  etcdctl --endpoints={servers} del --prefix /registry/")
    if arguments.output:
        console.json({"deleted": deleted})
    return 0
