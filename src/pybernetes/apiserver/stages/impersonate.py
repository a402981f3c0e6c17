"""Acting as somebody else: `Impersonate-*` headers of those who may impersonate each thing that they ask for."""

from collections.abc import Iterator
from urllib.parse import unquote

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, RequestContext, UserInfo
from pybernetes.apiserver.http.message import Answer, Request
from pybernetes.apiserver.stages.authenticate.user import service_account_groups, split_service_account
from pybernetes.apiserver.stages.authorize.attributes import Attributes, Authorizer, decide
from pybernetes.apiserver.stages.authorize.stage import refusal

PREFIX = "impersonate-"
EXTRA_PREFIX = "impersonate-extra-"
AUTHENTICATION = "authentication.k8s.io"


class Impersonate(Struct, frozen=True):
    """Replaces the request's user; the one who asked stays on record for the audit log."""

    authorizer: Authorizer

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        if ctx.request.has_header_of(PREFIX) and (wanted := wanted_user(ctx.request)).name:
            for attributes in questions(ctx.user, wanted):
                decision = await decide(self.authorizer, attributes)
                if not decision.allowed:
                    raise refusal(attributes, decision)
            ctx.impersonator, ctx.user = ctx.user, with_implied_groups(wanted)
        return await proceed(ctx)


def wanted_user(request: Request) -> UserInfo:
    """The user that the headers ask for, exactly as they ask; without a name where they ask for nothing.

    Raises StatusError if they ask for groups, uid or extra of no user.
    """
    name = request.headers.get("impersonate-user", "")
    uid = request.headers.get("impersonate-uid", "")
    groups = tuple(request.header_values("impersonate-group"))
    extra: dict[str, list[str]] = {}
    for header, value in request.header_list:
        if header.startswith(EXTRA_PREFIX):
            extra.setdefault(unquote(header.removeprefix(EXTRA_PREFIX)).lower(), []).append(value)
    if not name and (uid or groups or extra):
        raise errors.bad_request("requested impersonation of groups, uid or extra without impersonating a user")
    return UserInfo(name, uid, groups, extra)


def questions(user: UserInfo, wanted: UserInfo) -> Iterator[Attributes]:
    """What `user` has to be allowed, each by the verb `impersonate`, to become `wanted`."""
    account = split_service_account(wanted.name)
    if account is not None:
        yield Attributes(user, "impersonate", "", "v1", "serviceaccounts", namespace=account[0], name=account[1])
    elif wanted.name:
        yield Attributes(user, "impersonate", "", "v1", "users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes(user, "impersonate", "", "v1", "groups", name=group)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(user, "impersonate", AUTHENTICATION, "v1", "userextras", key, name=value)
    if wanted.uid:
        yield Attributes(user, "impersonate", AUTHENTICATION, "v1", "uids", name=wanted.uid)


def with_implied_groups(wanted: UserInfo) -> UserInfo:
    """The user with the groups that the same user would have got by authenticating."""
    groups = wanted.groups
    account = split_service_account(wanted.name)
    if account is not None and not groups:
        groups = service_account_groups(account[0])
    if wanted.name == ANONYMOUS.name:
        groups = (*groups, *({UNAUTHENTICATED} - set(groups)))
    elif UNAUTHENTICATED not in groups:
        groups = (*groups, *({AUTHENTICATED} - set(groups)))
    return UserInfo(wanted.name, wanted.uid, groups, wanted.extra)
