"""The audit policy (`--audit-policy-file`): the first rule that fits a request says how much of it is written."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from pybernetes.api import field as fields
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.configuration import ConfigurationError, decode, read
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.request_info import RequestInfo


class Level(IntEnum):
    """How much is written."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3


LEVELS: Final = {
    "None": Level.NONE,
    "Metadata": Level.METADATA,
    "Request": Level.REQUEST,
    "RequestResponse": Level.REQUEST_RESPONSE,
}
NAMES: Final = {level: name for name, level in LEVELS.items()}
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"
STAGES: Final = (RECEIVED, STARTED, COMPLETE, PANIC)


class Decision(NamedTuple):
    """What is written of a request: in which stages, and whether with managedFields."""

    level: Level
    omitted: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


class GroupResources(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
    """Resources of one group, as a rule names them: `pods`, `pods/log`, `pods/*`, `*/scale`, `*`."""

    group: str = ""
    resources: list[str] = []
    resource_names: list[str] = []

    def names(self, info: RequestInfo) -> bool:
        if self.group != info.api_group:
            return False
        if not self.resources:
            return True
        if self.resource_names and info.name not in self.resource_names:
            return False
        full = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        return any(
            pattern in ("*", full, f"{info.resource}/*")
            or (bool(info.subresource) and pattern == f"*/{info.subresource}")
            for pattern in self.resources
        )


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a rule that is empty fits everything."""

    level: str = ""
    users: list[str] = []
    user_groups: list[str] = msgspec.field(default_factory=list, name="userGroups")
    verbs: list[str] = []
    resources: list[GroupResources] = []
    namespaces: list[str] = []
    urls: list[str] = msgspec.field(default_factory=list, name="nonResourceURLs")
    omit_stages: list[str] = msgspec.field(default_factory=list, name="omitStages")
    omit_managed_fields: bool | None = msgspec.field(default=None, name="omitManagedFields")

    def fits(self, ctx: RequestContext) -> bool:
        info, user = ctx.info, ctx.user
        if self.users and user.name not in self.users:
            return False
        if self.user_groups and not set(self.user_groups) & set(user.groups):
            return False
        if self.verbs and info.verb not in self.verbs:
            return False
        if self.resources or self.namespaces:
            return self._fits_resource(info)
        return not self.urls or (not info.is_resource_request and any(_takes(url, info.path) for url in self.urls))

    def _fits_resource(self, info: RequestInfo) -> bool:
        if not info.is_resource_request or (self.namespaces and info.namespace not in self.namespaces):
            return False
        return not self.resources or any(each.names(info) for each in self.resources)


def _takes(url: str, path: str) -> bool:
    return url in ("*", path) or (url.endswith("*") and path.startswith(url[:-1]))


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules in order; what none fits is not written."""

    rules: list[Rule] = []
    omit_stages: list[str] = msgspec.field(default_factory=list, name="omitStages")
    omit_managed_fields: bool = msgspec.field(default=False, name="omitManagedFields")
    metadata: dict[str, object] = {}

    def decide(self, ctx: RequestContext) -> Decision:
        for rule in self.rules:
            if rule.fits(ctx):
                omit = self.omit_managed_fields if rule.omit_managed_fields is None else rule.omit_managed_fields
                return Decision(LEVELS[rule.level], frozenset((*self.omit_stages, *rule.omit_stages)), omit)
        return Decision(Level.NONE)


def load_policy(path: str) -> Policy:
    """The policy in a file. Raises ConfigurationError."""
    try:
        text = read(path)
    except ConfigurationError as error:
        raise ConfigurationError(f'loading audit policy file: failed to read file path "{path}": {error}') from error
    try:
        policy = decode(text, {("audit.k8s.io/v1", "Policy"): Policy})
    except ConfigurationError as error:
        raise ConfigurationError(f"loading audit policy file: failed decoding: {error}: from file {path}") from error
    if wrong := list(_errors(policy)):
        shown = [str(one) for one in wrong]
        words = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
        raise ConfigurationError(f"loading audit policy file: {words}: from file {path}")
    if not policy.rules:
        raise ConfigurationError(f"loading audit policy file: loaded illegal policy with 0 rules from file {path}")
    return policy


def _errors(policy: Policy) -> Iterator[FieldError]:
    yield from _stage_errors(policy.omit_stages, Path("omitStages"))
    for index, rule in enumerate(policy.rules):
        here = Path("rules").index(index)
        if not rule.level:
            yield fields.required(here.child("level"), "")
        elif rule.level not in LEVELS:
            yield fields.not_supported(here.child("level"), rule.level, sorted(LEVELS))
        if rule.urls and (rule.resources or rule.namespaces):
            words = "rules cannot apply to both regular resources and non-resource URLs"
            yield fields.invalid(here.child("nonResourceURLs"), rule.urls, words)
        for place, url in enumerate(rule.urls):
            if wrong := _wrong_url(url):
                yield fields.invalid(here.child("nonResourceURLs").index(place), url, wrong)
        for place, resources in enumerate(rule.resources):
            if resources.resource_names and not resources.resources:
                where = here.child("resources").index(place).child("resourceNames")
                yield fields.invalid(
                    where, resources.resource_names, "using resourceNames requires at least one resource"
                )
        yield from _stage_errors(rule.omit_stages, here.child("omitStages"))


def _wrong_url(url: str) -> str:
    if url == "*":
        return ""
    if not url.startswith("/"):
        return "non-resource URL rules must begin with a '/' character"
    return "non-resource URL wildcards '*' must be the final character of the rule" if "*" in url[:-1] else ""


def _stage_errors(stages: list[str], path: Path) -> Iterator[FieldError]:
    for index, stage in enumerate(stages):
        if stage not in STAGES:
            yield fields.invalid(path.index(index), stage, f"allowed stages are {','.join(STAGES)}")
