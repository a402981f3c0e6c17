"""A cluster is no part of the login that started it."""

from __future__ import annotations

import logging

from pybernetes.cluster.profile import Profile
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.layout import find_hierarchies

log = logging.getLogger(__name__)

SYSTEMD = "name=systemd"


def cgroup_of(profile: Profile) -> str:
    """Of the supervisor and all components."""
    return f"{profile.first_node.cgroup.rstrip('/')}/components"


def leave(profile: Profile) -> None:
    """Move the calling process, which has one thread, out of its login session, into a cgroup of the cluster's own.

    systemd tells by cgroups what belongs to whom: it ends what a user leaves behind at logout (`KillUserProcesses` of
    logind.conf(5)), a unit's processes with the unit, and at shutdown sessions before what would stop the cluster.
    Only the hierarchies by which it does that are of interest: components have no limits.
    """
    group = _group(profile)
    try:
        group.create()
        group.enter()
        group.enter_unified()
    except OSError as error:
        log.warning("stays in the session that started it cgroup=%s error=%s", group.path, error)


def forget(profile: Profile) -> None:
    """Take the cgroup away once no component is left. Safe to repeat."""
    _group(profile).remove_if_empty()


def _group(profile: Profile) -> Cgroup:
    return Cgroup(
        cgroup_of(profile), [each for each in find_hierarchies() if each.unified or SYSTEMD in each.controllers]
    )
