"""The audit policy (`--audit-policy-file`): the first rule that fits a request says how much of it is written."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from pybernetes.apiserver.context import RequestContext


class Level(IntEnum):
    """How much is written."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3


LEVELS = {
    "None": Level.NONE,
    "Metadata": Level.METADATA,
    "Request": Level.REQUEST,
    "RequestResponse": Level.REQUEST_RESPONSE,
}
NAMES = {level: name for name, level in LEVELS.items()}


class PolicyError(ValueError):
    """The policy cannot be read; the text says where."""


class GroupResources(msgspec.Struct, rename="camel", frozen=True):
    """Resources of one group, as a rule names them: `pods`, `pods/log`, `pods/*`, `*/scale`, `*`."""

    group: str = ""
    resources: list[str] = []
    resource_names: list[str] = []


class Rule(msgspec.Struct, frozen=True):
    """A part of a rule that is empty fits everything."""

    level: str
    users: list[str] = []
    user_groups: list[str] = msgspec.field(default_factory=list, name="userGroups")
    verbs: list[str] = []
    resources: list[GroupResources] = []
    namespaces: list[str] = []
    urls: list[str] = msgspec.field(default_factory=list, name="nonResourceURLs")
    omit_stages: list[str] = msgspec.field(default_factory=list, name="omitStages")

    def fits(self, ctx: RequestContext) -> bool:
        info, user = ctx.info, ctx.user
        if self.users and user.name not in self.users:
            return False
        if self.user_groups and not set(self.user_groups) & set(user.groups):
            return False
        if self.verbs and info.verb not in self.verbs and "*" not in self.verbs:
            return False
        if not (self.resources or self.namespaces or self.urls):
            return True
        if not info.is_resource_request:
            return any(fnmatchcase(info.path, pattern) for pattern in self.urls)
        if self.namespaces and info.namespace not in self.namespaces:
            return False
        if self.resources:
            return any(_names(each, ctx) for each in self.resources)
        return not self.urls


def _names(asked: GroupResources, ctx: RequestContext) -> bool:
    info = ctx.info
    if asked.group not in (info.api_group, "*"):
        return False
    if asked.resource_names and info.name not in asked.resource_names:
        return False
    full = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    return not asked.resources or any(
        pattern in ("*", full)
        or (bool(info.subresource) and pattern in (f"{info.resource}/*", f"*/{info.subresource}"))
        for pattern in asked.resources
    )


class Policy(msgspec.Struct, frozen=True):
    """Rules in order; what none fits is not written."""

    rules: list[Rule] = []
    omit_stages: list[str] = msgspec.field(default_factory=list, name="omitStages")

    def decide(self, ctx: RequestContext) -> tuple[Level, Sequence[str]]:
        """The level of a request, and the stages that are left out."""
        for rule in self.rules:
            if rule.fits(ctx):
                return LEVELS[rule.level], [*self.omit_stages, *rule.omit_stages]
        return Level.NONE, ()


def parse_policy(text: str) -> Policy:
    """The policy of a file. Raises PolicyError."""
    import yaml  # most servers have no policy

    try:
        tree: Any = yaml.safe_load(text)
        policy = msgspec.convert(tree, Policy)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise PolicyError(f"audit policy: {error}") from error
    for rule in policy.rules:
        if rule.level not in LEVELS:
            raise PolicyError(f"audit policy: unknown level {rule.level!r}")
    return policy
