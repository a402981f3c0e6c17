"""The seam between a write and the plugins that may change or refuse it."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from msgspec import Struct, field

from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.request_info import RequestInfo
from pybernetes.apiserver.user import UserInfo

Operation: TypeAlias = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


class Asked(Protocol):
    """The request that a write comes from."""

    user: UserInfo
    info: RequestInfo
    audit: dict[str, str]
    """Annotations of the audit event."""
    waited: float
    """Seconds that it has spent on others."""

    def warn(self, text: str) -> None:
        """Tell the client something in its answer."""
        ...


class Rounds(Struct):
    """Mutating plugins have all of them run once more, when they changed what others had seen (reinvocationPolicy)."""

    wanted: bool = False
    is_second: bool = False
    known: dict[str, object] = field(default_factory=dict)
    """What plugins remember of the first round, by their names."""


class Attributes(Struct):
    """One write, as admission sees it.

    `object` is the object to be stored, in the request's version and defaulted, which mutating plugins change in
    place (None for DELETE); `old` is the stored one (None for CREATE). For a subresource with a kind of its own
    (scale, binding, eviction, token) `object` is of that kind. `options` is the Create-, Update- or DeleteOptions.
    """

    ctx: Asked
    operation: Operation
    resource: Resource
    namespace: str
    name: str
    subresource: str = ""
    object: Tree | None = None
    old: Tree | None = None
    options: Tree = field(default_factory=dict)
    dry_run: bool = False
    rounds: Rounds | None = None
    """Once a plugin has something to say of them."""


class Admission(Protocol):
    """All plugins as one; each call raises StatusError to refuse."""

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        """Whether any plugin wants to see such writes; False saves making Attributes."""
        ...

    async def mutate(self, attributes: Attributes) -> None:
        """Let mutating plugins change `attributes.object` in place."""
        ...

    async def validate(self, attributes: Attributes) -> None:
        """Let validating plugins see the object as it will be stored."""
        ...


class AdmitAll:
    """No plugins."""

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        return False

    async def mutate(self, attributes: Attributes) -> None:
        pass

    async def validate(self, attributes: Attributes) -> None:
        pass
