"""The --profile argument, and the profile behind it."""

import argparse
import errno
import os

from pybernetes.cli.console import NOT_RUNNING, Failure
from pybernetes.cluster import control, preferences, profile
from pybernetes.cluster.preferences import command


def add_profile(parser: argparse.ArgumentParser, *, filled: bool = True) -> None:
    """With `filled` the argument is never None: it is the preferred profile where none is named."""
    default = preferred()
    text = f"which cluster of this machine (default: {default})"
    parser.add_argument("-p", "--profile", default=default if filled else None, help=text)


def preferred() -> str:
    return preferences.default_profile()


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=["json"], help="print as JSON")


def chosen(arguments: argparse.Namespace) -> profile.Profile:
    """The profile named. Raises ProfileError; PermissionError if it may not be read."""
    return profile.load(arguments.profile)


def existing(arguments: argparse.Namespace) -> profile.Profile:
    """The profile named, which must have been started once. Raises Failure; PermissionError if it is root's."""
    if profile.check_name(arguments.profile) not in profile.profile_names():
        if profile.is_roots(arguments.profile):
            raise PermissionError(errno.EACCES, f"cluster {arguments.profile!r} belongs to root")
        raise absent(arguments.profile)
    return chosen(arguments)


def need_machines(arguments: argparse.Namespace) -> None:
    """Raises Failure if the profile named is a cluster whose nodes are all simulated."""
    name = getattr(arguments, "profile", None)
    if name in profile.profile_names() and profile.load(name).settings.simulated:
        cause = f"the nodes of cluster {name!r} are simulated: they have no images, no files and no network"
        raise Failure([(cause, "p8s start, as root, makes a cluster of real ones")])


def meant(arguments: argparse.Namespace) -> list[profile.Profile]:
    """Every profile with --all, else the one named. Raises Failure if there is none."""
    if not arguments.all:
        return [existing(arguments)]
    found = profile.list_profiles()
    if not found:
        raise Failure([("there is no cluster", "p8s start")], NOT_RUNNING)
    return found


def absent(name: str) -> Failure:
    return Failure([(f"there is no cluster {name!r}{whose()}", hint(name))], NOT_RUNNING)


def whose() -> str:
    """Root's clusters and each user's are apart: who sees none may look at the wrong ones."""
    return "" if os.geteuid() == 0 else " of yours"


def hint(name: str) -> str:
    """What to do where there is no cluster of that name."""
    names = ", ".join(profile.profile_names())
    others = f"; there are: {names}" if names else ""
    if os.geteuid() == 0:
        return f"{command('start', name)}{others}"
    return f"sudo {command('start', name)}, or without root: {command('start --simulated', name)}{others}"


def running(arguments: argparse.Namespace) -> profile.Profile:
    """The profile named, which must run."""
    found = existing(arguments)
    if not control.is_running(found):
        raise control.NotRunningError(found)
    return found
