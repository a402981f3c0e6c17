"""What a cluster has beside Kubernetes itself, and what of it may give way to something of the user's own."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.cluster import control, locks, pidfile
from pybernetes.cluster.errors import ClusterError, suggestion
from pybernetes.cluster.profile import Profile, load
from pybernetes.cluster.readiness import Probe

SECONDS = 20.0


class AddonError(ClusterError):
    """There is no such addon, or it cannot be switched."""


class AddonNameError(AddonError):
    """There is none of that name."""

    is_usage = True


@dataclass(frozen=True, slots=True)
class Addon:
    """`owns` is the path of the API object that goes when it is switched off; "" if there is none.

    One that is `fixed` is part of what makes a cluster: nothing can take its place.
    """

    name: str
    what: str
    owns: str = ""
    fixed: bool = False


ADDONS = (
    Addon("dns", "names of services and pods", fixed=True),
    Addon("metrics", "kubectl top, and what autoscalers look at", fixed=True),
    Addon("registry", "an image registry on localhost, started when it is used", fixed=True),
    Addon("storage", "the default StorageClass and its directories", "/apis/storage.k8s.io/v1/storageclasses/standard"),
    Addon("ingress", "the IngressClass pybernetes", "/apis/networking.k8s.io/v1/ingressclasses/pybernetes"),
    Addon("load-balancer", "addresses for LoadBalancer services"),
)


def find(name: str) -> Addon:
    """Raises AddonNameError with the nearest that there is."""
    for addon in ADDONS:
        if addon.name == name:
            return addon
    names = [addon.name for addon in ADDONS]
    raise AddonNameError(f"there is no addon {name!r}", suggestion(name, names, f"one of {', '.join(names)}"))


def is_enabled(profile: Profile, addon: Addon) -> bool:
    return addon.name not in profile.settings.disabled_addons


def switch(name: str, addon: Addon, *, on: bool) -> bool:
    """Keep it in the settings of the profile `name`, and let a running cluster follow; False if it was so before.

    Raises AddonError for one that is fixed and is to be switched off.
    """
    if addon.fixed and not on:
        raise AddonError(f"{addon.name} is part of every cluster and cannot be disabled")
    with locks.of_profile(name):
        profile = load(name)
        if is_enabled(profile, addon) == on:
            return False
        others = [each for each in profile.settings.disabled_addons if each != addon.name]
        profile = profile.changed({"disabled_addons": others if on else [*others, addon.name]})
        profile.save()
        if control.is_running(profile):
            _follow(profile, addon, on=on)
    return True


def _follow(profile: Profile, addon: Addon, *, on: bool) -> None:
    """The manager starts anew with the settings of now; containers and the API know nothing of it."""
    for component in ("manager", addon.name):
        path = profile.run / f"{component}.pid"
        if pidfile.end(path):
            pidfile.wait_ended(path, SECONDS)
    if addon.owns and not on:
        Probe(profile).send("DELETE", addon.owns)
