"""Acting as somebody else: `Impersonate-*` headers of those who may impersonate each thing that they ask for.

There are several modes, each with its own verb (KEP-5284). A constrained one (`impersonate:user-info`, ...) is only for
requests that may be made through it (`impersonate-on:user-info:get`); `impersonate` alone is for all requests.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from msgspec import Struct, field

from pybernetes.api import errors, names
from pybernetes.api.field import quote
from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Request
from pybernetes.apiserver.stages.authenticate.user import NODES, service_account_groups, split_service_account
from pybernetes.apiserver.stages.authorize.attributes import Attributes, Authorizer, Decision, decide
from pybernetes.apiserver.stages.authorize.stage import attributes_of, refusal
from pybernetes.apiserver.user import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, UserInfo

PREFIX = "impersonate-"
EXTRA_PREFIX = "impersonate-extra-"
AUTHENTICATION = "authentication.k8s.io"
NODE_PREFIX = "system:node:"
NODE_NAME_KEY = "authentication.kubernetes.io/node-name"
MASTERS = "system:masters"
ASSOCIATED, ARBITRARY, ACCOUNT, USER = "associated-node", "arbitrary-node", "serviceaccount", "user-info"
LEGACY = ""
"""The mode whose verb is `impersonate`."""
REMEMBERED: Final = 10_000


class Impersonate(Struct, frozen=True):
    """Replaces the request's user; the one who asked stays on record for the audit log."""

    authorizer: Authorizer
    _last: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """The mode that let a user through last is asked first, and its refusal told."""

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        if ctx.request.has_header_of(PREFIX) and (wanted := wanted_user(ctx.request)).name:
            ctx.impersonator, ctx.user = ctx.user, await self._become(attributes_of(ctx), wanted)
        return await proceed(ctx)

    async def _become(self, request: Attributes, wanted: UserInfo) -> UserInfo:
        user = request.user
        modes = list(_modes(user, wanted))
        last = self._last.get(user.name)
        if last in modes:
            modes.sort(key=lambda mode: mode != last)
        refused: errors.StatusError | None = None
        for mode in modes:
            try:
                await self._check(request, wanted, mode)
            except errors.StatusError as error:
                refused = refused or error
                continue
            self._last[user.name] = mode
            self._last.move_to_end(user.name)
            if len(self._last) > REMEMBERED:
                self._last.popitem(last=False)
            return with_implied_groups(wanted, constrained=mode != LEGACY)
        assert refused is not None
        raise refused

    async def _check(self, request: Attributes, wanted: UserInfo, mode: str) -> None:
        """Raises StatusError 403."""
        if mode != LEGACY:
            await self._ask(request._replace(verb=f"impersonate-on:{mode}:{request.verb}"))
        for attributes in questions(request.user, wanted, mode):
            await self._ask(attributes)

    async def _ask(self, attributes: Attributes) -> None:
        decision = await decide(self.authorizer, attributes)
        if not decision.allowed:
            raise refusal(attributes, decision)


def _modes(user: UserInfo, wanted: UserInfo) -> Iterator[str]:
    """In which ways this user can be asked for, in the order in which they are tried."""
    node, account = _node(wanted.name), split_service_account(wanted.name)
    if not (wanted.uid or wanted.groups or wanted.extra):
        if node and split_service_account(user.name) and list(user.extra.get(NODE_NAME_KEY) or ()) == [node]:
            yield ASSOCIATED
        if node:
            yield ARBITRARY
        if account:
            yield ACCOUNT
    if not node and not account:
        yield USER
    yield LEGACY


def _node(name: str) -> str:
    """The node of a node's user, or ""."""
    node = name.removeprefix(NODE_PREFIX) if name.startswith(NODE_PREFIX) else ""
    return "" if names.dns1123_subdomain(node) else node


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
        given = f"UID:{quote(uid)}, Groups:{_go(groups)}, Extra:{_go_map(extra)}"
        raise errors.bad_request(f'requested &user.DefaultInfo{{Name:"", {given}}} without impersonating a user name')
    return UserInfo(name, uid, groups, extra)


def _go(values: list[str] | tuple[str, ...]) -> str:
    """Strings as Go's %#v has them."""
    return f"[]string{{{', '.join(map(quote, values))}}}" if values else "[]string(nil)"


def _go_map(values: dict[str, list[str]]) -> str:
    shown = ", ".join(f"{quote(key)}:{_go(each)}" for key, each in sorted(values.items()))
    return f"map[string][]string{{{shown}}}" if values else "map[string][]string(nil)"


def questions(user: UserInfo, wanted: UserInfo, mode: str = LEGACY) -> Iterator[Attributes]:
    """What `user` has to be allowed to become `wanted`. Raises StatusError for what nobody is in a constrained mode."""
    verb = f"impersonate:{mode}" if mode else "impersonate"
    group = AUTHENTICATION if mode else ""
    account = split_service_account(wanted.name)
    if mode in (ASSOCIATED, ARBITRARY):
        name = "*" if mode == ASSOCIATED else _node(wanted.name)
        yield Attributes(user, verb, group, "v1", "nodes", name=name)
    elif account is not None:
        yield Attributes(user, verb, group, "v1", "serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(user, verb, group, "v1", "users", name=wanted.name)
    if wanted.uid:
        yield Attributes(user, verb, AUTHENTICATION, "v1", "uids", name=wanted.uid)
    for one in wanted.groups:
        asked = Attributes(user, verb, group, "v1", "groups", name=one)
        if mode and one in ("", MASTERS):
            called = "the system:masters" if one else "the empty string"
            raise refusal(asked, Decision(False, f"impersonating {called} group is not allowed"))
        yield asked
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(user, verb, AUTHENTICATION, "v1", "userextras", key, name=value)


def with_implied_groups(wanted: UserInfo, *, constrained: bool = False) -> UserInfo:
    """The user with the groups that the same user would have got by authenticating."""
    groups = wanted.groups
    account = split_service_account(wanted.name)
    if account is not None and not groups:
        groups = service_account_groups(account[0])
    elif constrained and _node(wanted.name):
        groups = (NODES,)
    if wanted.name == ANONYMOUS.name:
        groups = (*groups, *({UNAUTHENTICATED} - set(groups)))
    elif UNAUTHENTICATED not in groups:
        groups = (*groups, *({AUTHENTICATED} - set(groups)))
    return UserInfo(wanted.name, wanted.uid, groups, wanted.extra)
