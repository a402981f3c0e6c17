"""What there is to complete a word with beside commands and options: kinds and objects, services, nodes, addons.

The completion scripts ask for it (`p8s __offer WORDS`, the last being typed) and print it as it comes: whoever waits at
a prompt is told nothing of what fails.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pybernetes.client.config import Config

COMMAND: Final = "__offer"
MOST: Final = 500
"""Of so many names nobody reads more."""
Offer = Callable[[argparse.Namespace, Sequence[str]], list[str]]


def offered(words: Sequence[str]) -> list[str]:
    """For the last of the words behind `p8s`; nothing where there is nothing, or nobody to tell."""
    try:
        return _offered(list(words))
    except Exception:  # of a cluster that does not answer, of words that are no command yet
        return []


def _offered(words: list[str]) -> list[str]:
    from pybernetes.cli.main import build_parser

    place = next((place for place in PLACES if tuple(words[: len(place)]) == place), None)
    if place is None:
        return []
    is_namespace = words[-2] in ("-n", "--namespace")
    known = words[:-2] if is_namespace else words[:-1]
    # Whatever it will be called: some commands want a name.
    parsed = build_parser(words[0]).read([*known, words[-1] or "/"])
    if is_namespace:
        return _names(parsed, "namespace")
    before = [*getattr(parsed, "object", ()), *getattr(parsed, "further", ())][:-1]
    return PLACES[place](parsed, [*before, words[-1]])


def _objects(arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """`deployment/` while the kind is typed, `deployment/web` behind the slash, `web` as a word of its own."""
    if len(words) == 2 and "/" not in words[0]:
        return _names(arguments, words[0])
    if len(words) != 1:
        return []
    kind, slash, _ = words[0].partition("/")
    return [f"{kind}/{name}" for name in _names(arguments, kind)] if slash else _kinds(kind)


def _kinds(begun: str) -> list[str]:
    """Every kind by its singular; by another of its names only where that was begun."""
    from pybernetes.api.scheme import resource_for
    from pybernetes.explain.targets import kinds

    singular = {resource_for(kind).singular for kind in kinds().values()}
    named = [name for name in singular if name.startswith(begun)]
    return sorted(f"{name}/" for name in named or kinds() if name.startswith(begun))


def _names(arguments: argparse.Namespace, kind: str) -> list[str]:
    """Of the objects of a kind, built in or custom, in the namespace that the command would look in."""
    import asyncio

    from pybernetes.cli.commands.why import credentials

    return sorted(asyncio.run(_listed(credentials(arguments.profile or ""), kind, arguments.namespace)))


async def _listed(config: Config, word: str, namespace: str | None) -> list[str]:
    from pybernetes.api.scheme import resource_for
    from pybernetes.api.types import apiextensions_v1 as extensions
    from pybernetes.client.rest import connect
    from pybernetes.explain import custom
    from pybernetes.explain.targets import kinds

    known = kinds().get(word.lower().partition(".")[0])
    async with connect(config, user_agent="p8s") as client:
        if known is not None:
            resource = resource_for(known)
        else:
            definitions = (await client.list(extensions.CustomResourceDefinition)).items
            resource = next(custom.resource_of(each) for each in definitions if custom.is_called(each, word))
        within = (namespace or config.namespace) if resource.namespaced else ""
        page = await client.list(resource, within, limit=MOST)
    return [each["metadata"]["name"] for each in page.items]


def _services(arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    from pybernetes.cluster.door import open_door

    door = open_door(arguments.profile)
    return ["list", *_named(door.items(f"/api/v1/namespaces/{arguments.namespace or 'default'}/services"))]


def _nodes(arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    from pybernetes.cluster.door import open_door

    return _named(open_door(arguments.profile).items("/api/v1/nodes"))


def _named(objects: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def _addons(arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    from pybernetes.cluster.addons import ADDONS

    return [addon.name for addon in ADDONS if not addon.fixed]


PLACES: Final[dict[tuple[str, ...], Offer]] = {
    ("why",): _objects,
    ("service",): _services,
    ("ip",): _nodes,
    ("node", "stop"): _nodes,
    ("node", "start"): _nodes,
    ("node", "delete"): _nodes,
    ("addons", "enable"): _addons,
    ("addons", "disable"): _addons,
}
"""By the commands behind which such a word stands; those of `why` may be two."""
