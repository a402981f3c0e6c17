"""The file of `p8s start --simulated --stages FILE`: rules for pods and for nodes. Pure.

pods:                                   # what a pod's annotations do not say, the first rule that says it decides
- match: {namespace: shop, image: "*flaky*"}
  pull: {after: 2s, fail: ErrImagePull, times: 2}
- run: {after: 30s, jitter: 10s, fail: Error, chance: 0.1}
nodes:
- match: {name: "sim-1*"}
  capacity: {cpu: 64, memory: 256Gi}
  zones: [north, south]
  unreachable: {after: 5m, for: 1m}
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from pybernetes.api.quantity import QuantityError, canonical
from pybernetes.api.selectors import labels as selectors
from pybernetes.simulator.names import PODS_PER_RANGE
from pybernetes.simulator.parse import StagesError, behaviour_of, chance_of, refuse_unknown, seconds_of
from pybernetes.simulator.stages import CONCERNS, UNSAID, Behaviour


class Match(Struct, frozen=True):
    """Whom a rule concerns; each pattern (`*` and `?`) that is given has to fit."""

    name: str = ""
    namespace: str = ""
    node: str = ""
    image: str = ""
    labels: str = ""

    def takes(self, subject: Subject) -> bool:
        return (
            _fits(self.name, subject.name)
            and _fits(self.namespace, subject.namespace)
            and _fits(self.node, subject.node)
            and (not self.image or any(fnmatchcase(image, self.image) for image in subject.images))
            and (not self.labels or _selects(self.labels, subject.labels))
        )


class Subject(Struct, frozen=True):
    """What a rule looks at."""

    name: str
    labels: Mapping[str, str]
    namespace: str = ""
    node: str = ""
    images: tuple[str, ...] = ()


def _fits(pattern: str, value: str) -> bool:
    return not pattern or fnmatchcase(value, pattern)


def _selects(text: str, labels: Mapping[str, str]) -> bool:
    return selectors.parse(text).matches(labels)


def match_of(tree: Any, where: str) -> Match:
    """Raises StagesError."""
    if not isinstance(tree, Mapping):
        raise StagesError(f"{where}: a map, as in {{namespace: shop, labels: app=web}}")
    refuse_unknown(tree, ("name", "namespace", "node", "image", "labels"), where)
    found = Match(**{name: str(value) for name, value in tree.items()})
    try:
        _selects(found.labels, {})
    except ValueError as error:
        raise StagesError(f"{where}.labels: {error}") from error
    return found


class PodRule(Struct, frozen=True):
    """What the pods that match do."""

    match: Match
    behaviour: Behaviour


class Outage(Struct, frozen=True):
    """A node's bad time: it begins `after` its registration and lasts `lasts` seconds, then comes again."""

    after: float
    jitter: float
    lasts: float
    chance: float
    message: str


class NodeRule(Struct, frozen=True):
    """What the nodes that match are. Empty: the rules after it, and then the defaults."""

    match: Match
    capacity: Mapping[str, str]
    labels: Mapping[str, str]
    taints: tuple[tuple[str, str, str], ...]
    """Key, value and effect."""
    zones: tuple[str, ...]
    """Nodes take turns."""
    not_ready: Outage | None
    unreachable: Outage | None


class Rules(Struct, frozen=True):
    """A whole file."""

    pods: tuple[PodRule, ...] = ()
    nodes: tuple[NodeRule, ...] = ()

    def behaviour(self, subject: Subject) -> Behaviour:
        """What the rules say of a pod."""
        found = UNSAID
        for rule in self.pods:
            if rule.match.takes(subject):
                found = found.under(rule.behaviour)
        return found

    def of_node(self, subject: Subject) -> list[NodeRule]:
        """The rules that a node matches, the first first."""
        return [rule for rule in self.nodes if rule.match.takes(subject)]


def parse(text: str) -> Rules:
    """Rules out of YAML. Raises StagesError, which says where and why."""
    import yaml

    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StagesError(str(error)) from error
    if tree is None:
        return Rules()
    if not isinstance(tree, Mapping):
        raise StagesError("the file is no map of `pods` and `nodes`")
    refuse_unknown(tree, ("pods", "nodes"), "the file")
    return Rules(
        pods=tuple(_pod_rule(rule, where) for rule, where in _listed(tree, "pods")),
        nodes=tuple(_node_rule(rule, where) for rule, where in _listed(tree, "nodes")),
    )


def _listed(tree: Mapping[str, Any], name: str) -> list[tuple[Mapping[str, Any], str]]:
    rules = tree.get(name) or []
    if not isinstance(rules, list) or not all(isinstance(rule, Mapping) for rule in rules):
        raise StagesError(f"{name}: a list of rules")
    return [(rule, f"{name}[{index}]") for index, rule in enumerate(rules)]


def _pod_rule(tree: Mapping[str, Any], where: str) -> PodRule:
    refuse_unknown(tree, ("match", *CONCERNS), where)
    return PodRule(match_of(tree.get("match") or {}, f"{where}.match"), behaviour_of(tree, where))


def _node_rule(tree: Mapping[str, Any], where: str) -> NodeRule:
    known = ("match", "capacity", "labels", "taints", "zones", "notReady", "unreachable")
    refuse_unknown(tree, known, where)
    return NodeRule(
        match=match_of(tree.get("match") or {}, f"{where}.match"),
        capacity=_capacity(tree.get("capacity") or {}, f"{where}.capacity"),
        labels={str(name): str(value) for name, value in _map(tree, "labels", where).items()},
        taints=tuple(_taint(str(text), f"{where}.taints") for text in tree.get("taints") or ()),
        zones=tuple(str(zone) for zone in tree.get("zones") or ()),
        not_ready=_outage(tree.get("notReady"), f"{where}.notReady"),
        unreachable=_outage(tree.get("unreachable"), f"{where}.unreachable"),
    )


def _map(tree: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    found = tree.get(name) or {}
    if not isinstance(found, Mapping):
        raise StagesError(f"{where}.{name}: a map")
    return found


def _capacity(tree: Any, where: str) -> dict[str, str]:
    if not isinstance(tree, Mapping):
        raise StagesError(f"{where}: a map, as in {{cpu: 64, memory: 256Gi}}")
    try:
        found = {str(name): canonical(str(amount)) for name, amount in tree.items()}
    except QuantityError as error:
        raise StagesError(f"{where}: {error}") from error
    if int(found.get("pods", 0)) > PODS_PER_RANGE:
        raise StagesError(f"{where}.pods: a simulated node has addresses for {PODS_PER_RANGE} pods")
    return found


def _taint(text: str, where: str) -> tuple[str, str, str]:
    pair, colon, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    if not colon or not key or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise StagesError(f"{where}: {text!r} is no taint: write KEY[=VALUE]:NoSchedule|PreferNoSchedule|NoExecute")
    return key, value, effect


def _outage(tree: Any, where: str) -> Outage | None:
    if tree is None:
        return None
    if not isinstance(tree, Mapping):
        raise StagesError(f"{where}: a map, as in {{after: 5m, for: 1m}}")
    refuse_unknown(tree, ("after", "jitter", "for", "chance", "message"), where)
    return Outage(
        after=seconds_of(tree.get("after", 0), f"{where}.after"),
        jitter=seconds_of(tree.get("jitter", 0), f"{where}.jitter"),
        lasts=seconds_of(tree.get("for", "never"), f"{where}.for"),
        chance=chance_of(tree.get("chance", 1), f"{where}.chance"),
        message=str(tree.get("message", "")),
    )
