"""p8s delete: whatever a profile made on this machine is taken away, and nothing that was there before."""

from __future__ import annotations

import asyncio
import contextlib

from pybernetes.cluster import kubeconfig, lifecycle, locks
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.remains import remove_cgroups, remove_if_empty, remove_tree, unmount_below

GRACE_SECONDS = 2.0


def delete(profile: Profile) -> None:
    """End and remove everything of the profile on this machine; what it keeps in an etcd stays there.

    Safe to repeat, also after a deletion that was cut off. A kubeconfig that cannot be changed is left as it is.
    """
    with locks.of_profile(profile.name):
        remove(profile)


def remove(profile: Profile) -> None:
    """`delete`, for who holds the profile's lock."""
    lifecycle.end(profile, GRACE_SECONDS)
    if not profile.settings.simulated:
        remove_nodes(profile)
    with contextlib.suppress(kubeconfig.KubeconfigError):
        kubeconfig.remove_from_users(profile, kubeconfig.caller())
    for place in (profile.run, profile.state):
        remove_tree(place)
        remove_if_empty(place.parent)


def remove_nodes(profile: Profile) -> None:
    """What real nodes leave in the kernel."""
    from pybernetes.cluster import mounts, network
    from pybernetes.cluster.processes import agent, runtime
    from pybernetes.proxy import main as proxy

    mounts.remove_all(profile)
    if profile.exists():
        asyncio.run(runtime.remove_everything(profile))
    for place in (profile.state, profile.run):
        unmount_below(place)
    proxy.cleanup(agent.proxy_options(profile.first_node))
    network.remove(profile)
    remove_cgroups(profile.first_node.cgroup.strip("/"))
