"""Policy rules: what one allows, whether others cover it, and how upstream writes it. Pure."""

import json
from collections.abc import Iterable, Sequence
from itertools import product

from pybernetes.api.types.rbac_v1 import PolicyRule


def allows_path(pattern: str, path: str) -> bool:
    """Whether a nonResourceURL of a rule covers a path: `*`, the same path, or a prefix that ends in `*`."""
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def covers(owner: PolicyRule, asked: PolicyRule) -> bool:
    """Whether everything that the single-valued rule `asked` allows, `owner` allows too."""
    if not _contains(owner.verbs, asked.verbs):
        return False
    if asked.non_resource_urls:
        return all(any(allows_path(own, url) for own in owner.non_resource_urls) for url in asked.non_resource_urls)
    names_covered = not owner.resource_names or (
        bool(asked.resource_names) and set(asked.resource_names) <= set(owner.resource_names)
    )
    return names_covered and _contains(owner.api_groups, asked.api_groups) and _resources_covered(owner, asked)


def _contains(owned: Sequence[str], asked: Sequence[str]) -> bool:
    return "*" in owned or set(asked) <= set(owned)


def _resources_covered(owner: PolicyRule, asked: PolicyRule) -> bool:
    owned = set(owner.resources)
    if "*" in owned:
        return True
    return all(
        resource in owned or ("/" in resource and f"*/{resource.partition('/')[2]}" in owned)
        for resource in asked.resources
    )


def break_down(rule: PolicyRule) -> list[PolicyRule]:
    """The rule as rules of one verb and one resource (or path) each."""
    single = [
        PolicyRule(verbs=[verb], api_groups=[group], resources=[resource], resource_names=[name] if name else [])
        for group, resource, verb, name in product(
            rule.api_groups, rule.resources, rule.verbs, rule.resource_names or [""]
        )
    ]
    paths = [
        PolicyRule(verbs=[verb], non_resource_urls=[url]) for url, verb in product(rule.non_resource_urls, rule.verbs)
    ]
    return single + paths


def missing(held: Iterable[PolicyRule], asked: Iterable[PolicyRule]) -> list[PolicyRule]:
    """What `asked` allows beyond `held`, as single-valued rules."""
    owners = list(held)
    return [
        single for rule in asked for single in break_down(rule) if not any(covers(owner, single) for owner in owners)
    ]


def compact(rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Single-valued rules with the verbs of the same resource put together; the order is of first appearance."""
    verbs: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for rule in rules:
        key = (tuple(rule.api_groups), tuple(rule.resources), tuple(rule.resource_names), tuple(rule.non_resource_urls))
        known = verbs.setdefault(key, [])
        known.extend(rule.verbs)
    return [
        PolicyRule(
            verbs=allowed,
            api_groups=list(groups),
            resources=list(resources),
            resource_names=list(names),
            non_resource_urls=list(urls),
        )
        for (groups, resources, names, urls), allowed in verbs.items()
    ]


def describe(rule: PolicyRule) -> str:
    """The rule as upstream's messages write it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`."""
    fields = [
        ("APIGroups", rule.api_groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.non_resource_urls),
        ("ResourceNames", rule.resource_names),
        ("Verbs", rule.verbs),
    ]
    return "{" + ", ".join(f"{name}:{quoted(values)}" for name, values in fields if values) + "}"


def quoted(values: Iterable[str]) -> str:
    """A list as upstream's messages write it: `["a" "b"]`."""
    return "[" + " ".join(json.dumps(value) for value in values) + "]"
