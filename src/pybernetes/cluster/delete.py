"""p8s delete: whatever a profile made on this machine is taken away, and nothing that was there before."""

from __future__ import annotations

import asyncio
import contextlib

from pybernetes.cluster import autostart, kubeconfig, locks
from pybernetes.cluster.ending import end
from pybernetes.cluster.interrupts import deferred
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.remains import DeleteError, remove_cgroups, remove_if_empty, remove_tree, unmount_below

GRACE_SECONDS = 2.0


def delete(profile: Profile) -> list[str]:
    """End and remove everything of the profile on this machine; what it keeps in an etcd stays there.

    Says what was removed. Ctrl-C is raised once nothing is left. Safe to repeat, also after a deletion that was cut off. A kubeconfig that cannot be changed is left as it is.
    """
    with deferred() as interrupts, locks.of_profile(profile.name, check=interrupts.check):
        removed = inventory(profile)
        remove(profile)
        interrupts.check()
    return removed


def inventory(profile: Profile) -> list[str]:
    """What a profile has on this machine, in words."""
    found = [str(place) for place in (profile.state, profile.run) if place.exists()]
    found += [f"context {profile.name!r} of {place.path}" for place in kubeconfig.places(profile)]
    if autostart.is_enabled(profile.name):
        found.append(str(autostart.UNITS / autostart.unit_of(profile.name)))
    if profile.settings.simulated:
        return found
    from pybernetes.cluster import mounts

    found += [f"bridge, routes and rules of {profile.bridge}", f"cgroups below {profile.first_node.cgroup}"]
    found += [f"network namespace of node {node.name}" for node in profile.nodes[1:]]
    return found + [f"mount {mount.target} ({mount.source} is as it was)" for mount in mounts.kept(profile)]


def remove(profile: Profile) -> None:
    """`delete`, for who holds the profile's lock."""
    autostart.disable(profile.name)
    end(profile, GRACE_SECONDS)
    if not profile.settings.simulated:
        remove_nodes(profile)
    with contextlib.suppress(kubeconfig.KubeconfigError):
        kubeconfig.remove_from_users(profile, kubeconfig.caller())
    for place in (profile.run, profile.state):
        remove_tree(place)
        remove_if_empty(place.parent)
    if not profile.settings.simulated:
        try:
            remove_cgroups(profile.first_node.cgroup)
        except DeleteError:
            profile.save()  # so that it can be deleted again
            raise


def remove_nodes(profile: Profile) -> None:
    """What real nodes leave in the kernel."""
    from pybernetes.cluster import mounts, network
    from pybernetes.cluster.processes import agent, runtime
    from pybernetes.proxy import main as proxy

    mounts.remove_all(profile)
    if profile.state.exists():
        asyncio.run(runtime.remove_everything(profile))
    for place in (profile.state, profile.run):
        unmount_below(place)
    proxy.cleanup(agent.proxy_options(profile.first_node))
    network.remove(profile)
