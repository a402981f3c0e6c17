"""What is asked of an authorizer, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from pybernetes.apiserver.user import MASTERS, UserInfo


class Attributes(NamedTuple):
    """One question: may `user` do `verb` on this resource, or on this path if `resource` is empty?

    `namespace` is empty at the cluster scope, `name` for lists and creates, `group` for the core group.
    The selectors are what a list or watch is narrowed to, as the request wrote them.
    """

    user: UserInfo
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""
    label_selector: str = ""

    @property
    def full_resource(self) -> str:
        """The resource as rules name it: `pods`, `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(NamedTuple):
    """Allowed, or not allowed by this authorizer; `reason` says why, for reviews and the audit log.

    `denied` is final, whatever others say. `pending` has to be asked before anything can be said: see `decide`.
    """

    allowed: bool
    reason: str = ""
    denied: bool = False
    pending: Asked | None = None


class Asked(Protocol):
    """Somebody elsewhere who decides."""

    async def ask(self, attributes: Attributes) -> Decision:
        """Never raises; what is answered is what `authorize` says next, for a while."""
        ...


ALLOWED = Decision(True)
NO_OPINION = Decision(False)
NOTHING_ANSWERED: Mapping[int, Decision] = {}


class Authorizer(Protocol):
    """Answers from memory: it is asked once for each request."""

    def authorize(self, attributes: Attributes) -> Decision:
        """Never raises; what it does not know it does not allow."""
        ...


@runtime_checkable
class Unlisted(Protocol):
    """An authorizer that knows only by asking, or by rules that are not RBAC's, what some users may do."""

    def unlisted(self, user: UserInfo) -> str:
        """Why what the user may do cannot be listed; empty if this authorizer gives them nothing."""
        ...


class AlwaysAllow:
    """`--authorization-mode=AlwaysAllow`: for tests alone."""

    def authorize(self, attributes: Attributes) -> Decision:
        return ALLOWED


class AlwaysDeny:
    """Says no more than nobody would."""

    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(False, "Everything is forbidden.")


class Masters:
    """Members of `system:masters` may do everything, so that no rule can lock the administrator out."""

    def authorize(self, attributes: Attributes) -> Decision:
        return ALLOWED if MASTERS in attributes.user.groups else NO_OPINION


class Union:
    """The first authorizer that allows decides; the reasons of the others are joined."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = authorizers
        self.tally: dict[tuple[str, str], list[int]] = {}
        """How often authorizers, by type and name, have denied and allowed."""
        self._tallies: dict[int, list[int]] = {}

    def use(self, authorizers: Mapping[tuple[str, str], Authorizer]) -> None:
        """These from now on, by type and name; before them, whoever may do everything."""
        self._authorizers = [Masters(), *authorizers.values()]
        self._tallies = {id(one): self.tally.setdefault(name, [0, 0]) for name, one in authorizers.items()}

    def unlisted(self, user: UserInfo) -> list[str]:
        """Why not all is known that the user may do, by each authorizer that cannot tell."""
        said = (one.unlisted(user) for one in self._authorizers if isinstance(one, Unlisted))
        return [why for why in said if why]

    def authorize(self, attributes: Attributes) -> Decision:
        return self.decide(attributes, NOTHING_ANSWERED)

    def decide(self, attributes: Attributes, answered: Mapping[int, Decision]) -> Decision:
        """The decision with what was answered elsewhere, by the identity of who was asked."""
        reasons = []
        for authorizer in self._authorizers:
            decision = (answered.get(id(authorizer)) if answered else None) or authorizer.authorize(attributes)
            if decision is NO_OPINION:
                continue
            if decision.allowed or decision.denied:
                if (tally := self._tallies.get(id(authorizer))) is not None:
                    tally[decision.allowed] += 1
                return decision
            if decision.pending is not None:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons)) if reasons else NO_OPINION


async def decide(authorizer: Authorizer, attributes: Attributes) -> Decision:
    """The decision, once everybody has been asked who has to be."""
    decision = authorizer.authorize(attributes)
    answered: dict[int, Decision] = {}
    asked: list[Asked] = []  # kept, so that no other gets the identity of one that is no longer used
    while decision.pending is not None:
        asked.append(decision.pending)
        answered[id(decision.pending)] = await decision.pending.ask(attributes)
        assert isinstance(authorizer, Union)
        decision = authorizer.decide(attributes, answered)
    return decision


def forbidden_words(attributes: Attributes) -> str:
    """The sentence of a 403, after `... is forbidden: `."""
    if not attributes.resource:
        return f'User "{attributes.user.name}" cannot {attributes.verb} path "{attributes.path}"'
    scope = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    return (
        f'User "{attributes.user.name}" cannot {attributes.verb} resource "{attributes.full_resource}" '
        f'in API group "{attributes.group}" {scope}'
    )
