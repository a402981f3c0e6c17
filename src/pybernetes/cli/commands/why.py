"""p8s why"""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pybernetes.cli.console import FAILED, NOT_RUNNING, Console, Failure
from pybernetes.cli.parser import wrong as wrong_usage
from pybernetes.cli.profiles import add_output, preferred
from pybernetes.cli.unanswered import cluster_here, nothing_allowed, refused
from pybernetes.cluster import profile
from pybernetes.cluster.door import absent, missing
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.owner import caller, user_paths

if TYPE_CHECKING:
    from pybernetes.cli.aim import Aim
    from pybernetes.client.config import Config
    from pybernetes.client.rest import Client
    from pybernetes.cluster.profile import Profile
    from pybernetes.explain.causes import Cause, Finding
    from pybernetes.explain.snapshot import Snapshot
    from pybernetes.explain.targets import Target, UnknownKindError
    from pybernetes.runtime.images.registry.options import RegistryOptions

EXAMPLES = """exit codes: 0 explained, 1 there is no such object (or, with --exit-code, something is wrong), 3 no cluster answers

examples:
  p8s why deployment/web        why its rollout hangs: down to the cause, and what to do next
  p8s why pod web-5d8f-x2x9z
  p8s why svc/web               who answers for it, or why nobody does
  p8s why pvc/data -n shop
  p8s why                       everything that is wrong in the current namespace
  p8s why -A                    ... in the cluster
  p8s why -A --exit-code        for scripts: 1 if anything is wrong
  p8s why deployment/web -o json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "object", nargs="*", metavar="OBJECT", help="KIND/NAME or KIND NAME; without it, all that is wrong"
    )
    parser.add_argument("-n", "--namespace", help="where the object is (default: as kubectl)")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="everything that is wrong in the cluster")
    parser.add_argument("-p", "--profile", help="which cluster of this machine (default: as kubectl)")
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if something is wrong")
    add_output(parser)
    parser.set_defaults(further=[])


def run(arguments: argparse.Namespace, console: Console) -> int:
    import asyncio

    from pybernetes.explain.targets import TargetError, UnknownKindError, parse

    target, custom = None, None
    try:
        words = [*arguments.object, *arguments.further]
        target = parse(words) if words else None
    except UnknownKindError as error:
        custom = error
    except TargetError as error:
        raise wrong_usage(str(error), error.step) from error
    console.live("asking the cluster, and registries about its images")
    try:
        findings = asyncio.run(find(arguments, target, custom))
    except (Failure, ClusterError) as error:
        # Where nobody can say whether there is such a custom resource, it is a slip of the pen.
        if custom is not None and (isinstance(error, ClusterError) or error.code == NOT_RUNNING):
            raise wrong_usage(str(custom), custom.step) from error
        raise
    if arguments.output == "json":
        console.json([as_json(finding) for finding in findings])
    else:
        from pybernetes.cli.causes import show

        named = f"namespace {arguments.namespace}" if arguments.namespace else "the current namespace"
        show(findings, console, "the cluster" if arguments.all_namespaces else named)
    broken = any(finding.is_broken for finding in findings)
    return FAILED if arguments.exit_code and broken else 0


async def find(
    arguments: argparse.Namespace, target: Target | None, custom: UnknownKindError | None = None
) -> list[Finding]:
    """What is to say about the object, or all that is wrong. Raises Failure."""
    from pybernetes.aio.clock import SystemClock
    from pybernetes.api.errors import StatusError
    from pybernetes.cli.aim import aimed
    from pybernetes.client.rest import connect
    from pybernetes.explain import clues, load

    config = credentials(arguments.profile or "")
    namespace = "" if arguments.all_namespaces else arguments.namespace or config.namespace
    try:
        async with connect(config, user_agent="p8s") as client:
            snapshot = await load.read(client, SystemClock(), arguments.namespace or config.namespace)
            if snapshot.says_nothing:
                raise nothing_allowed(config)
            need_namespace(snapshot, namespace)
            if custom is not None:
                named = replace(snapshot, home=config.namespace)
                told = await explained_custom(client, named, custom, namespace)
                return [aimed(told, aim(arguments.profile or "", cluster_here(config)))]
            scope = clues.Scope.of(target, namespace) if target is not None else clues.Scope(namespace)
            snapshot = await clues.follow(client, snapshot, registries(config), scope)
    except StatusError as error:
        raise refused(config, error) from error
    here = cluster_here(config)
    stopped = frozenset(node.name for node in here.nodes if node.stopped) if here is not None else frozenset()
    snapshot = replace(snapshot, home=config.namespace, clues=replace(snapshot.clues, stopped=stopped))
    found = [explained(snapshot, target, namespace)] if target else [*full(here), *wrong(snapshot, namespace)]
    at = aim(arguments.profile or "", here)
    return [aimed(finding, at) for finding in found]


def aim(asked: str, here: Profile | None) -> Aim:
    """Where next steps have to be aimed at: the profile that was named, and the cluster of this machine that answered."""
    from pybernetes.cli.aim import Aim
    from pybernetes.client.config import Config, ConfigError

    current = ""
    with suppress(ConfigError):
        current = Config.from_kubeconfigs(user_paths(caller()), "").context
    context = asked if asked and asked != current else ""
    return Aim(context, here.name if here is not None and here.name != preferred() else "", why=context)


def explained(snapshot: Snapshot, target: Target, namespace: str) -> Finding:
    """What is to say about one object. Raises Failure if it does not exist."""
    from pybernetes.api.scheme import resource_for
    from pybernetes.explain import nearest, rules
    from pybernetes.explain.snapshot import GLOBAL

    within = "" if target.kind in GLOBAL else namespace or snapshot.home
    found = snapshot.get(target.kind, target.name, within)
    if found is not None:
        return rules.explain(snapshot, found)
    resource = resource_for(target.kind)
    if target.kind in snapshot.unread:
        raise Failure([(f"you may not list {resource.group_resource}", f"kubectl auth can-i list {resource.plural}")])
    names = nearest.nearest(target.name, snapshot.names(target.kind, within), 1)
    elsewhere = [each.namespace for each in snapshot.places(target.kind, target.name)]
    step = f"kubectl get {resource.plural}{' -n ' + within if within else ''}"
    if names:
        step = f"p8s why {resource.singular}/{names[0]}{snapshot.within(within)}"
    elif elsewhere:
        step = f"p8s why {resource.singular}/{target.name} -n {elsewhere[0]}"
    where = f" in namespace {within}" if within else ""
    raise Failure([(f"there is no {resource.singular} {target.name!r}{where}", step)])


def full(here: Profile | None) -> list[Finding]:
    """A store that can keep nothing more: no object can tell of it."""
    from pybernetes.cluster import preflight
    from pybernetes.explain.causes import Cause, Finding, Ref

    problem = preflight.check_room(here, preflight.LOW) if here is not None else None
    if here is None or problem is None:
        return []
    steps = (problem.next_step, "p8s df")
    return [Finding(Ref("cluster", here.name), "keeps nothing that is written", (Cause(problem.cause, steps=steps),))]


async def explained_custom(client: Client, snapshot: Snapshot, asked: UnknownKindError, namespace: str) -> Finding:
    """What is to say about an object of a custom resource. Raises Failure."""
    from pybernetes.api.errors import StatusError, is_not_found
    from pybernetes.explain import custom
    from pybernetes.explain import definition as definitions

    definition = custom.definition_of(snapshot, asked.kind)
    if definition is None:
        raise wrong_usage(str(asked), asked.step)
    resource = custom.resource_of(definition)
    try:
        tree = await client.get(resource, asked.name, (namespace or snapshot.home) if resource.namespaced else "")
    except StatusError as error:
        if is_not_found(error):
            raise Failure([(error.message, f"kubectl get {resource.group_resource} -A")]) from error
        served = definitions.explain(snapshot, definition)
        if served.is_broken:
            return served
        raise
    return custom.explain(snapshot, definition, custom.read(tree))


def need_namespace(snapshot: Snapshot, name: str) -> None:
    """Raises Failure for a namespace that there certainly is not: nothing would be wrong in it."""
    from pybernetes.api.types import core_v1 as v1
    from pybernetes.explain.nearest import nearest

    if name and snapshot.is_missing(v1.Namespace, name):
        close = nearest(name, snapshot.names(v1.Namespace), 1)
        raise Failure(
            [(f"there is no namespace {name!r}", f"p8s why -n {close[0]}" if close else "kubectl get namespaces")]
        )


def wrong(snapshot: Snapshot, namespace: str) -> list[Finding]:
    """All that is wrong in a namespace, or in the cluster."""
    from pybernetes.explain import rules

    return [each for each in rules.unhealthy(snapshot) if not namespace or each.subject.namespace in (namespace, "")]


def credentials(profile_name: str) -> Config:
    """Those of the user's kubeconfig, as kubectl takes them; a profile is a context of it. Raises Failure.

    Root may ask about a profile that is in no kubeconfig of its own.
    """
    from pybernetes.client.config import Config, ConfigError

    places = user_paths(caller())
    try:
        return Config.from_kubeconfigs(places, profile_name)
    except ConfigError as error:
        name = profile_name or preferred()
        with suppress(ClusterError, PermissionError, ConfigError):
            return Config.from_kubeconfig(profile.load(name).kubeconfig("admin"))
        raise absent(name, missing(places) or str(error)) from error


def registries(config: Config) -> RegistryOptions:
    """How the cluster reaches registries, where its settings may be read."""
    from pybernetes.runtime.images.registry.options import RegistryOptions

    if (here := cluster_here(config)) is None:
        return RegistryOptions()
    mirrors = RegistryOptions.parse_mirrors(here.settings.registry_mirrors)
    return RegistryOptions(mirrors, frozenset(here.settings.insecure_registries))


def as_json(finding: Finding) -> dict[str, Any]:
    """The contract of `-o json`: state is healthy, working or broken."""
    return {
        "object": str(finding.subject),
        "namespace": finding.subject.namespace,
        "state": "broken" if finding.is_broken else "working" if finding.working else "healthy",
        "facts": finding.facts,
        "causes": [cause_as_json(cause) for cause in finding.causes],
        "next": finding.steps(),
        "notes": list(finding.notes),
    }


def cause_as_json(cause: Cause) -> dict[str, Any]:
    return {
        "object": str(cause.subject) if cause.subject else None,
        "cause": cause.what,
        "seen": list(cause.seen),
        "next": list(cause.steps),
        "because": [cause_as_json(each) for each in cause.because],
    }
