"""Objects of every kind, spoiled field by field."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import yaml

from pybernetes.api import scheme

Tree: TypeAlias = dict[str, Any]

SURROGATE = json.loads('"\\ud800"')
WORDS: list[str] = [
    "", " ", "a", "A b", "x/y", "..", "/", "../../etc", "-1", "0", "1e3", "99999999999999999999", "1Gi", "-1n", "1.5e-9Ei", "*", "::", "fe80::1%eth0",
    "10.0.0.0/33", "2020-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "é" * 40, "\x00", "\n", "\u202e", "\U0001f600", SURROGATE,
    "x" * 300, "{", "}{", "$(A)", "(((", "a{999}", "[[:x:]]", "self.x +", "1/0", "dyn([1]).all(x,", "metadata.labels['", "{.a[?(@.b", "True", "null", "%s%n", "=", "a=b,!c", "a in (", "nosuch", "uid", "YQ==", "YQ",
]  # fmt: skip
GARBAGE: list[Any] = [
    None, True, False, 0, 1, -1, 7, 65536, 2**31, -(2**63), 2**64, 10**30, 0.5, -0.0, 1e300, float("nan"), float("inf"),
    [], {}, [None], [[]], {"": None}, {"a": None}, {"a": {"b": [1, "c", {}]}}, [1, "a", {}], [{}] * 3, {"f:x": {}}, {"$patch": "delete"}, {"$patch": "nosuch"}, [{"$patch": "replace"}],
    {"$retainKeys": ["a"]}, {"$setElementOrder/x": [1]}, {"matchExpressions": [{"key": "a", "operator": "x"}]},
]  # fmt: skip


def seeds() -> list[Tree]:
    """One valid object of each kind that can be created."""
    text = Path(__file__).with_name("seeds.yaml").read_text("utf-8")
    return json.loads(json.dumps(yaml.load(text, Loader=yaml.CSafeLoader)))


def collection(tree: Tree) -> str:
    """Where objects of the kind are posted to."""
    resource = scheme.by_kind(tree["apiVersion"], tree["kind"])
    assert resource is not None, tree
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else "/api/v1"
    return f"{root}/namespaces/default/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"


def places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a tree."""
    if way:
        yield way
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from places(node[key], (*way, key))


def garbage(random: Random) -> Any:
    return random.choice(WORDS) if random.random() < 0.5 else copy.deepcopy(random.choice(GARBAGE))


def deep(random: Random) -> str:
    """A place holder for something nested, which `expanded` puts into the text."""
    return f"deep-{random.choice((20, 90, 200, 3000))}"


def expanded(text: str) -> str:
    """JSON text with its place holders of deep values replaced: no tree of that depth can be walked here."""
    return re.sub('"deep-([0-9]+)"', lambda found: '{"a":[' * int(found[1]) + "]}" * int(found[1]), text)


def spoil(tree: Any, random: Random) -> None:
    """Change one place of the tree."""
    found = [
        place for place in places(tree) if place[-1] not in ("apiVersion", "kind", "name") or random.random() < 0.3
    ]
    if not found:
        return
    *way, key = random.choice(found)
    parent = tree
    for step in way:
        parent = parent[step]
    match random.randrange(10):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        case 1 | 2 if isinstance(parent, dict):
            parent[random.choice(("nosuch", "", str(key).upper(), "a.b/c", SURROGATE, "é"))] = copy.deepcopy(
                parent[key]
            )
        case 3:
            parent[key] = [copy.deepcopy(parent[key])]
        case 4:
            parent[key] = {"a": copy.deepcopy(parent[key])}
        case 5 if isinstance(parent[key], str):
            parent[key] = random.choice(
                (parent[key] * 2, parent[key][1:], parent[key] + random.choice(WORDS), parent[key].upper())
            )
        case 5 if isinstance(parent[key], int):
            parent[key] = random.choice((-parent[key], parent[key] + 1, str(parent[key]), float(parent[key])))
        case 6 if random.random() < 0.05:
            parent[key] = deep(random)
        case _:
            parent[key] = garbage(random)


def spoiled(tree: Tree, random: Random) -> Any:
    """The object with one to four places changed."""
    if random.random() < 0.01:
        return garbage(random)
    made = copy.deepcopy(tree)
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        spoil(made, random)
    return made
