"""p8s delete"""

import argparse

from pybernetes.cli.console import NOT_RUNNING, Console, Failure
from pybernetes.cli.profiles import add_output, add_profile, existing
from pybernetes.cluster import profile
from pybernetes.cluster.profile import Profile

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


def remains(arguments: argparse.Namespace) -> Profile:
    """The one that is named, damaged or not. Raises Failure if nothing is there."""
    if profile.has_remains(profile.check_name(arguments.profile)):
        return profile.load_remains(arguments.profile)
    return existing(arguments)


def all_of_them() -> list[Profile]:
    found = [profile.load_remains(name) for name in profile.profile_names()]
    if not found:
        raise Failure([("there is no cluster", "p8s start")], NOT_RUNNING)
    return found


def run(arguments: argparse.Namespace, console: Console) -> int:
    profiles = all_of_them() if arguments.all else [remains(arguments)]
    from pybernetes.cluster.delete import delete

    if arguments.output:
        console.only_json()
    deleted = []
    for each in profiles:
        console.live(f"ending and removing what cluster {each.name!r} has made")
        removed = delete(each)
        deleted.append({"profile": each.name, "removed": list(removed), "store": each.settings.store})
        console.step("🧹", f"cluster {each.name!r} deleted")
        for what in removed:
            console.line(f"   removed: {what}")
        if each.settings.store.startswith("etcd://"):
            servers = each.settings.store.removeprefix("etcd://")
            console.line(f"its objects are still in {each.settings.store}; where nobody else uses them:")
            console.line(f"  etcdctl --endpoints={servers} del --prefix /registry/")
    if arguments.output:
        console.json({"deleted": deleted})
    return 0
