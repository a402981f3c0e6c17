"""p8s service"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pybernetes.cli import browser
from pybernetes.cli.arguments import seconds
from pybernetes.cli.console import Console, Failure
from pybernetes.cli.profiles import add_output, add_profile
from pybernetes.cluster import urls
from pybernetes.cluster.door import Door, DoorError, open_door
from pybernetes.cluster.errors import suggestion
from pybernetes.cluster.owner import caller
from pybernetes.cluster.urls import Entry

EXAMPLES = """every address works from this machine, with no tunnel and no terminal that has to stay open

examples:
  p8s service list                        every service and its URL
  p8s service web                         the URLs of one; opens the browser on a desktop
  curl $(p8s service web --url)
  p8s service web -n shop --wait 0        its address, whether a pod answers or not"""

HEADER = ["NAMESPACE", "NAME", "TARGET PORT", "URL"]
LIST = "list"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)
    parser.add_argument("name", metavar="NAME|list", help="the service, or list for all")
    parser.add_argument("-n", "--namespace", help="where it is (default: default; of list: all)")
    parser.add_argument("--url", action="store_true", help="print the URLs only")
    parser.add_argument("--wait", type=seconds, default=30.0, metavar="SECONDS", help="for a pod that answers")
    parser.add_argument(
        "--open", action=argparse.BooleanOptionalAction, help="open the browser (default: on a desktop's terminal)"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    door = open_door(arguments.profile)
    if arguments.name == LIST:
        show(all_entries(door, arguments.namespace), arguments, console)
        return 0
    namespace = arguments.namespace or "default"
    service = find(door, namespace, arguments.name)
    found = urls.entries(service)
    if arguments.wait > 0 and service["spec"].get("type") != "ExternalName":
        wait_for_endpoints(door, service, arguments.wait, console)
    show(found, arguments, console)
    opened = [entry.url for entry in found if entry.url.startswith("http")]
    wanted = arguments.open if arguments.open is not None else is_at_desktop(arguments)
    if wanted and opened and not browser.is_there():
        raise Failure([("there is no program here that opens a browser (xdg-open)", f"open {opened[0]} yourself")])
    if wanted and opened:
        console.note(f"opening {opened[0]} in the browser")
        browser.open_url(opened[0], caller())
    elif not any(entry.url for entry in found):
        raise Failure(
            [(f"service {namespace}/{arguments.name} {found[0].note}", f"kubectl get endpointslices -n {namespace}")]
        )
    return 0


def is_at_desktop(arguments: argparse.Namespace) -> bool:
    return not arguments.url and not arguments.output and sys.stdout.isatty() and browser.can_open(os.environ)


def all_entries(door: Door, namespace: str | None) -> list[Entry]:
    path = f"/api/v1/namespaces/{namespace}/services" if namespace else "/api/v1/services"
    return [entry for service in door.items(path) for entry in urls.entries(service)]


def show(found: Sequence[Entry], arguments: argparse.Namespace, console: Console) -> None:
    if arguments.output == "json":
        console.json(found)
    elif arguments.url:
        for entry in found:
            if entry.url:
                console.line(entry.url)
    else:
        console.box(HEADER, [[each.namespace, each.name, each.target_port, each.url or each.note] for each in found])


def find(door: Door, namespace: str, name: str) -> urls.Tree:
    """The service. Raises Failure with the nearest of those that there are."""
    try:
        found: urls.Tree = door.get(f"/api/v1/namespaces/{namespace}/services/{name}")
        return found
    except DoorError as error:
        if error.code != 404:
            raise
    services = [service["metadata"] for service in door.items("/api/v1/services")]
    here = [meta["name"] for meta in services if meta["namespace"] == namespace]
    elsewhere = [meta["namespace"] for meta in services if meta["name"] == name]
    step = (
        f"p8s service {name} -n {elsewhere[0]}"
        if elsewhere
        else suggestion(name, here, "p8s service list", "p8s service ")
    )
    raise Failure([(f"there is no service {name!r} in namespace {namespace}", step)])


def wait_for_endpoints(door: Door, service: urls.Tree, seconds: float, console: Console) -> None:
    """Until somebody answers for the service. Raises Failure with the reason."""
    meta = service["metadata"]
    path = f"/apis/discovery.k8s.io/v1/namespaces/{meta['namespace']}/endpointslices"
    selector = f"kubernetes.io/service-name={meta['name']}"
    if urls.has_ready(door.items(path, labelSelector=selector)):
        return
    console.note(f"waiting for a pod that answers: {reason(door, service)}")
    for event in Door(door.access).watch(path, seconds, labelSelector=selector):
        if event["type"] != "DELETED" and urls.has_ready([event["object"]]):
            return
    cause = f"nobody answers for service {meta['namespace']}/{meta['name']}: {reason(door, service)}"
    raise Failure([(cause, f"p8s why service/{meta['name']} -n {meta['namespace']}")])


def reason(door: Door, service: urls.Tree) -> str:
    selector = urls.selector_of(service)
    path = f"/api/v1/namespaces/{service['metadata']['namespace']}/pods"
    return urls.why_nobody_answers(service, door.items(path, labelSelector=selector) if selector else [])
