"""`--authorization-mode=ABAC`: a policy of one JSON object a line (`abac.authorization.kubernetes.io/v1beta1`).

Lines without a version are those of the format before it, which upstream still reads.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from pybernetes.api.field import quote
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.stages.authorize.attributes import ALLOWED, Attributes, Decision

log = logging.getLogger(__name__)
VERSION: Final = "abac.authorization.kubernetes.io/v1beta1"
AUTHENTICATED: Final = "system:authenticated"
READS: Final = frozenset(("get", "list", "watch"))
NO_MATCH: Final = Decision(False, "No policy matched.")


class Policy(msgspec.Struct, frozen=True, rename="camel"):
    """Whom a line lets do what; what is empty matches nothing, `*` everything."""

    user: str = ""
    group: str = ""
    readonly: bool = False
    api_group: str = msgspec.field(default="", name="apiGroup")
    resource: str = ""
    namespace: str = ""
    non_resource_path: str = msgspec.field(default="", name="nonResourcePath")

    def matches(self, attributes: Attributes) -> bool:
        return (
            self._is_about(attributes.user.name, attributes.user.groups)
            and (not self.readonly or attributes.verb in READS)
            and (self._covers(attributes) if attributes.resource else self._covers_path(attributes.path))
        )

    def _is_about(self, name: str, groups: Any) -> bool:
        if self.user and self.user not in ("*", name):
            return False
        if self.group and self.group != "*" and self.group not in groups:
            return False
        return bool(self.user or self.group)

    def _covers(self, attributes: Attributes) -> bool:
        return (
            self.namespace in ("*", attributes.namespace)
            and self.resource in ("*", attributes.resource)
            and self.api_group in ("*", attributes.group)
        )

    def _covers_path(self, path: str) -> bool:
        known = self.non_resource_path
        return known in ("*", path) or (known.endswith("*") and path.startswith(known.rstrip("*")))


class ABAC:
    """The first line that matches allows; what none matches, others may."""

    def __init__(self, policies: list[Policy]) -> None:
        self._policies = policies

    def authorize(self, attributes: Attributes) -> Decision:
        return ALLOWED if any(policy.matches(attributes) for policy in self._policies) else NO_MATCH


def load(path: str) -> ABAC:
    """The policy in a file. Raises ConfigurationError, in upstream's words, with the line."""
    try:
        with open(path, encoding="utf-8") as file:
            return ABAC(list(_policies(path, file)))
    except OSError as error:
        raise ConfigurationError(f"open {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"error reading policy file {path}: {error}") from error


def _policies(path: str, lines: Any) -> Iterator[Policy]:
    unversioned = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            tree = json.loads(text)
            if not isinstance(tree, dict):
                raise ValueError("it is no JSON object")
            versioned = tree.get("apiVersion") == VERSION and tree.get("kind") == "Policy"
            unversioned += not versioned
            yield _current(tree.get("spec") or {}) if versioned else _old(tree)
        except (ValueError, msgspec.ValidationError) as error:
            raise ConfigurationError(f"error reading policy file {path}, line {number}: {text}: {error}") from error
    if unversioned:
        log.warning("policy file contains unversioned rules path=%s lines=%d", quote(path), unversioned)


def _current(spec: Any) -> Policy:
    policy = msgspec.convert(spec, Policy)
    if "*" in (policy.user, policy.group):
        return msgspec.structs.replace(policy, user="", group=AUTHENTICATED)
    return policy


def _old(tree: Any) -> Policy:
    """There empty names match everything, and who is not named is whoever is known."""
    given = msgspec.convert(tree, Policy)
    anybody = "*" in (given.user, given.group) or not (given.user or given.group)
    return Policy(
        user="" if anybody else given.user,
        group=AUTHENTICATED if anybody else given.group,
        readonly=given.readonly,
        api_group="*",
        resource=given.resource or "*",
        namespace=given.namespace or "*",
        non_resource_path="" if given.namespace or given.resource else "*",
    )
