"""Who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field


class UserInfo(Struct, frozen=True):
    """Who asks. `extra` keys are lower case."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = UserInfo("system:anonymous", groups=(UNAUTHENTICATED,))
LOOPBACK = UserInfo("system:apiserver", groups=(AUTHENTICATED, MASTERS))
