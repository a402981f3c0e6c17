"""What a cluster has beside Kubernetes itself, and what of it may give way to something of the user's own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from pybernetes.cluster import control, locks, pidfile
from pybernetes.cluster.errors import ClusterError, suggestion
from pybernetes.cluster.profile import Profile, load
from pybernetes.cluster.readiness import PAUSE, Probe

SECONDS = 20.0
METRICS_API = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"


class AddonError(ClusterError):
    """There is no such addon, or it cannot be switched."""


class AddonNameError(AddonError):
    """There is none of that name."""

    is_usage = True


@dataclass(frozen=True, slots=True)
class Addon:
    """`owns` is the path of the API object that goes when it is switched off; "" if there is none.

    `processes` begin anew when it is switched, the API server's only where the object is its own. One that is `fixed`
    is part of what makes a cluster: nothing can take its place.
    """

    name: str
    what: str
    owns: str = ""
    fixed: bool = False
    processes: tuple[str, ...] = ("manager",)


ADDONS = (
    Addon("dns", "names of services and pods", fixed=True),
    Addon("registry", "an image registry on localhost, started when it is used", fixed=True),
    Addon("metrics", "kubectl top, and what autoscalers look at", METRICS_API, processes=("apiserver",)),
    Addon("storage", "the default StorageClass and its directories", "/apis/storage.k8s.io/v1/storageclasses/standard"),
    Addon(
        "ingress",
        "the IngressClass pybernetes",
        "/apis/networking.k8s.io/v1/ingressclasses/pybernetes",
        processes=("manager", "ingress"),
    ),
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
    """The processes start anew with the settings of now; containers know nothing of it."""
    for component in addon.processes:
        path = profile.run / f"{component}.pid"
        if pidfile.end(path):
            pidfile.wait_ended(path, SECONDS)
    if "apiserver" in addon.processes:
        _wait_followed(profile, addon, on=on)
    elif addon.owns and not on:
        Probe(profile).send("DELETE", addon.owns)


def _wait_followed(profile: Profile, addon: Addon, *, on: bool) -> None:
    """Until the API server answers again, and its own object has come or gone; one that names a server is somebody else's.

    Raises AddonError.
    """
    probe, deadline = Probe(profile), time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        status, body = probe.get(addon.owns)
        if status == 200 and (on or _server(json.loads(body))):
            return
        if status == 404 and not on:
            return
        time.sleep(PAUSE)
    cause = (
        f"the API server of cluster {profile.name!r} does not follow: {addon.owns} is {'not there' if on else 'there'}"
    )
    raise AddonError(cause, f"p8s status -p {profile.name}; p8s logs -p {profile.name} apiserver")


def serving_elsewhere(profile: Profile, addon: Addon) -> str:
    """`namespace/name` of the service that does what the addon would do; "" if there is none, or nobody to ask."""
    status, body = Probe(profile).get(addon.owns) if addon.owns and control.is_running(profile) else (0, b"")
    return _server(json.loads(body)) if status == 200 else ""


def _server(api: dict[str, Any]) -> str:
    """The service of an APIService; "" of the API server's own, and of what is none."""
    service = api.get("spec", {}).get("service")
    return f"{service['namespace']}/{service['name']}" if service else ""
