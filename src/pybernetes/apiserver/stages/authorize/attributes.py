"""What is asked of an authorizer, and what it answers."""

from typing import NamedTuple, Protocol

from pybernetes.apiserver.context import MASTERS, UserInfo


class Attributes(NamedTuple):
    """One question: may `user` do `verb` on this resource, or on this path if `resource` is empty?

    `namespace` is empty at the cluster scope, `name` for lists and creates, `group` for the core group.
    `field_selector` is what a list or watch is narrowed to, as the request wrote it.
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

    @property
    def full_resource(self) -> str:
        """The resource as rules name it: `pods`, `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(NamedTuple):
    """Allowed, or not allowed by this authorizer; `reason` says why, for reviews and the audit log."""

    allowed: bool
    reason: str = ""


NO_OPINION = Decision(False)


class Authorizer(Protocol):
    """Answers from memory: it is asked once for each request."""

    def authorize(self, attributes: Attributes) -> Decision:
        """Never raises; what it does not know it does not allow."""
        ...


class AlwaysAllow:
    """`--authorization-mode=AlwaysAllow`: for tests alone."""

    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(True)


class Masters:
    """Members of `system:masters` may do everything, so that no rule can lock the administrator out."""

    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(MASTERS in attributes.user.groups)


class Union:
    """The first authorizer that allows decides; the reasons of the others are joined."""

    def __init__(self, authorizers: list[Authorizer]) -> None:
        self._authorizers = authorizers

    def authorize(self, attributes: Attributes) -> Decision:
        reasons = []
        for authorizer in self._authorizers:
            decision = authorizer.authorize(attributes)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons)) if reasons else NO_OPINION


def forbidden_words(attributes: Attributes) -> str:
    """The sentence of a 403, after `... is forbidden: `."""
    if not attributes.resource:
        return f'User "{attributes.user.name}" cannot {attributes.verb} path "{attributes.path}"'
    scope = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    return (
        f'User "{attributes.user.name}" cannot {attributes.verb} resource "{attributes.full_resource}" '
        f'in API group "{attributes.group}" {scope}'
    )
