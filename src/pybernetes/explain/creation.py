"""Pods that are not even made: the API server refuses them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.explain import webhook
from pybernetes.explain.causes import Cause
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import Snapshot, condition, meta
from pybernetes.explain.steps import change, rename

_QUOTA = re.compile(
    r"exceeded quota: (?P<name>\S+), requested: (?P<asked>.+?), used: (?P<used>.+?), limited: (?P<limit>.+)$"
)
_MUST_SPECIFY = re.compile(r"failed quota: (?P<name>[^:]+): must specify (?P<what>.+?)(?: for: (?P<who>.+))?$")
_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[^"]+)" not found')
_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[^"]+)": (?P<why>.+)$')
_WEBHOOK = re.compile(r'failed calling webhook "(?P<name>[^"]+)": (?P<why>.+)$')
_DENIED = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request(?:: (?P<why>.+))?')
_LIMIT = re.compile(
    r"(?P<which>maximum|minimum) (?P<resource>\S+) usage per (?P<type>\w+) is (?P<bound>\S+?), but (?P<what>limit|request) is (?P<given>[^\s\]]+)"
)
_ABOVE = re.compile(
    r'requests: Invalid value: "(?P<given>[^"]+)": must be less than or equal to (?P<resource>\S+) limit of (?P<bound>\S+)'
)
_RUNTIME = re.compile(r'RuntimeClass "(?P<name>[^"]+)" not found')
_CLASS = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")


def refused(snapshot: Snapshot, owner: Object, conditions: Sequence[Any], fewer: bool) -> Cause | None:
    """Why the owner's pods cannot be made; None if they can. `fewer`: there are fewer than there ought to be."""
    failure = condition(conditions, "ReplicaFailure")
    said = failure.message if failure is not None and failure.status == "True" else ""
    if not said and fewer:
        said = next((event.message or "" for event in snapshot.events(owner, "FailedCreate")), "")
    return explain(snapshot, owner, said) if said else None


def explain(snapshot: Snapshot, owner: Object, said: str) -> Cause:
    """A refusal in plain words."""
    namespace = meta(owner).namespace or ""
    within = snapshot.within(namespace)
    edit = change(snapshot, owner)
    if found := _QUOTA.search(said):
        what = f"quota {found['name']} is used up: it allows {found['limit']}, {found['used']} is used, {found['asked']} more is asked for"
        return Cause(
            what,
            seen=(said,),
            steps=(f"kubectl edit resourcequota {found['name']}{within}", "or ask for less: " + edit),
        )
    if found := _MUST_SPECIFY.search(said):
        what = (
            f"quota {found['name']} wants every container to say its {found['what']}; container {found['who']} does not"
        )
        return Cause(
            what,
            seen=(said,),
            steps=(
                change(
                    snapshot, owner, "set resources", "--requests=cpu=100m,memory=64Mi --limits=cpu=200m,memory=128Mi"
                ),
            ),
        )
    if found := _LIMIT.search(said):
        names = snapshot.names(v1.LimitRange, namespace)
        what = f"a LimitRange of the namespace allows at {'most' if found['which'] == 'maximum' else 'least'} {found['bound']} {found['resource']} per {found['type']}; the {found['what']} is {found['given']}"
        return Cause(what, seen=(said,), steps=(change(snapshot, owner, "set resources", f"--{found['what']}s={found['resource']}={found['bound']}"), *(f"kubectl describe limitrange {name}{within}" for name in names[:1])))  # fmt: skip
    if found := _ABOVE.search(said):
        return _above_limit(snapshot, owner, found, said)
    if found := _ACCOUNT.search(said):
        name = found["name"]
        there_are = snapshot.names(v1.ServiceAccount, namespace)
        what = f"serviceaccount {name} does not exist{hint(name, there_are)}"
        steps = (*rename(snapshot, owner, name, there_are), f"kubectl create serviceaccount {name}{within}")
        return Cause(what, seen=(said,), steps=steps)
    if found := _SECURITY.search(said):
        level = found["level"].partition(":")[0]
        what = f"the namespace enforces the Pod Security Standard {level}: {found['why']}"
        return Cause(
            what,
            seen=(said,),
            steps=(
                edit,
                f"kubectl label namespace {namespace} --overwrite pod-security.kubernetes.io/enforce=...    # a weaker level",
            ),
        )
    return _by_others(snapshot, said) or Cause("the API server refuses it", seen=(said,), steps=(edit,))


def _above_limit(snapshot: Snapshot, owner: Object, found: re.Match[str], said: str) -> Cause:
    """A request above the limit; where the limit is what a LimitRange gives to containers without one, by its name."""
    resource, bound = found["resource"], found["bound"]
    givers = [
        each.metadata.name or ""
        for each in snapshot.all(v1.LimitRange, meta(owner).namespace or "")
        if any(item.type == "Container" and item.default.get(resource) == bound for item in each.spec.limits)
    ]
    given = f", which limitrange {givers[0]} gives to containers that say none" if givers else ""
    what = f"a container asks for {found['given']} of {resource}, more than its limit of {bound}{given}"
    return Cause(what, seen=(said,), steps=(change(snapshot, owner, "set resources", f"--limits={resource}={found['given']}"),))  # fmt: skip


def _by_others(snapshot: Snapshot, said: str) -> Cause | None:
    """What an admission webhook, or a missing class, refuses."""
    if found := _WEBHOOK.search(said):
        what = f"admission webhook {found['name']} does not answer, and its failurePolicy is Fail: {found['why']}"
        configuration, because = webhook.unanswered(snapshot, found["name"])
        which = "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
        delete = snapshot.command("delete", configuration) if configuration is not None else which
        steps = (f"start its service, or delete the configuration if it is gone for good: {delete}",)
        return Cause(what, seen=(said,), steps=steps, because=because)
    if found := _DENIED.search(said):
        return Cause(
            f"admission webhook {found['name']} refuses it: {found['why'] or 'without a reason'}", seen=(said,)
        )
    if found := _RUNTIME.search(said):
        what = f"runtime class {found['name']} does not exist"
        return Cause(what, seen=(said,), steps=("kubectl get runtimeclasses    # or leave runtimeClassName out",))
    if found := _CLASS.search(said):
        return Cause(
            f"priority class {found['name']} does not exist", seen=(said,), steps=("kubectl get priorityclasses",)
        )
    return None
