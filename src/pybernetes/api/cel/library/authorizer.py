"""Kubernetes' authorizer library: what the user of a request may do, asked while the request is admitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pybernetes.api.cel.functions import Functions, OpaqueValue, method
from pybernetes.api.cel.types import BOOL, STRING, opaque

AUTHORIZER: Final = opaque("kubernetes.authorization.Authorizer")
PATH: Final = opaque("kubernetes.authorization.PathCheck")
GROUP: Final = opaque("kubernetes.authorization.GroupCheck")
RESOURCE: Final = opaque("kubernetes.authorization.ResourceCheck")
DECISION: Final = opaque("kubernetes.authorization.Decision")

CHECK_COST: Final = 350_000
"""An authorizer may be a webhook: a check costs a third of what an expression may."""


@dataclass(frozen=True, slots=True)
class Check(OpaqueValue):
    """A question while it is put together. `account` is a service account (namespace, name) that is asked about."""

    type_name = RESOURCE.name
    ask: Ask
    account: tuple[str, str] | None = None
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    verb: str = ""
    field_selector: str = ""
    label_selector: str = ""


Ask: TypeAlias = Callable[[Check], tuple[bool, str]]
"""Whether it is allowed, and why."""


class Asker(Check):
    """`authorizer` itself."""

    __slots__ = ()
    type_name = AUTHORIZER.name


class PathCheck(Check):
    """About a path that is no resource's."""

    __slots__ = ()
    type_name = PATH.name


class GroupCheck(Check):
    """About a group, whose resource is still to be named."""

    __slots__ = ()
    type_name = GROUP.name


@dataclass(frozen=True, slots=True)
class Decided(OpaqueValue):
    """The answer."""

    type_name = DECISION.name
    allowed: bool
    reason: str


def _as(kind: type[Check], check: Check, **changes: str) -> Check:
    values = {name: getattr(check, name) for name in Check.__dataclass_fields__}
    return kind(**{**values, **changes})


def _check(check: Check, verb: str) -> Decided:
    return Decided(*check.ask(replace(check, verb=verb)))


def _of_account(check: Check, namespace: str, name: str) -> Check:
    return replace(check, account=(namespace, name))


FUNCTIONS: Final[Functions] = {
    "path": [method(AUTHORIZER, STRING, to=PATH, do=lambda check, path: _as(PathCheck, check, path=path))],
    "group": [method(AUTHORIZER, STRING, to=GROUP, do=lambda check, group: _as(GroupCheck, check, group=group))],
    "serviceAccount": [method(AUTHORIZER, STRING, STRING, to=AUTHORIZER, do=_of_account)],
    "resource": [method(GROUP, STRING, to=RESOURCE, do=lambda check, name: _as(Check, check, resource=name))],
    "subresource": [method(RESOURCE, STRING, to=RESOURCE, do=lambda check, name: replace(check, subresource=name))],
    "namespace": [method(RESOURCE, STRING, to=RESOURCE, do=lambda check, name: replace(check, namespace=name))],
    "name": [method(RESOURCE, STRING, to=RESOURCE, do=lambda check, name: replace(check, name=name))],
    "fieldSelector": [
        method(RESOURCE, STRING, to=RESOURCE, do=lambda check, text: replace(check, field_selector=text))
    ],
    "labelSelector": [
        method(RESOURCE, STRING, to=RESOURCE, do=lambda check, text: replace(check, label_selector=text))
    ],
    "check": [method(each, STRING, to=DECISION, do=_check, cost=lambda sizes: CHECK_COST) for each in (PATH, RESOURCE)],
    "allowed": [method(DECISION, to=BOOL, do=lambda decision: decision.allowed)],
    "reason": [method(DECISION, to=STRING, do=lambda decision: decision.reason)],
    "errored": [method(DECISION, to=BOOL, do=lambda decision: False)],
    "error": [method(DECISION, to=STRING, do=lambda decision: "")],
}
