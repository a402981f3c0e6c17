"""The reviews: questions to the authorizers and authenticators, answered and never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pybernetes.api import errors
from pybernetes.api.field import aggregate
from pybernetes.api.selectors import fields, labels
from pybernetes.api.selectors.labels import SelectorError
from pybernetes.api.tree import Tree
from pybernetes.api.types.rbac_v1 import PolicyRule
from pybernetes.api.validation.access_review import RULES
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.resources.body import admit_action, answer, note_manager, read_object, see_action
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.apiserver.resources.timestamps import now
from pybernetes.apiserver.stages.authenticate.authenticator import InvalidCredentialError
from pybernetes.apiserver.stages.authenticate.tokens.validator import TokenError
from pybernetes.apiserver.stages.authenticate.user import to_tree
from pybernetes.apiserver.stages.authorize.attributes import Attributes, Union, decide
from pybernetes.apiserver.user import AUTHENTICATED, UserInfo

AUTHORIZATION = "authorization.k8s.io/v1"
AUTHENTICATION = "authentication.k8s.io/v1"
INVALID_TOKEN = "invalid bearer token"


class AccessReview:
    """SelfSubjectAccessReview, SubjectAccessReview, LocalSubjectAccessReview: may a user do this?"""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, target, AUTHORIZATION, target.resource.kind)
        attributes = await admit_action(ctx, target, review)
        if attributes is None:
            note_manager(ctx, review)
        wrong = list(RULES["authorization.k8s.io", target.resource.plural].create(review))
        if wrong:
            raise errors.invalid("authorization.k8s.io", "", "", wrong)
        await see_action(ctx, attributes)
        spec = review["spec"]
        user = ctx.user if target.resource.kind == "SelfSubjectAccessReview" else _subject(spec)
        question, ignored = _question(user, spec)
        decision = await decide(ctx.services.security.authorizer, question)
        review["status"] = {"allowed": decision.allowed} | ({"reason": decision.reason} if decision.reason else {})
        if ignored:
            review["status"]["evaluationError"] = "; ".join(ignored)
        return answer(ctx, 201, review)


def _subject(spec: Tree) -> UserInfo:
    extra = {key.lower(): tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return UserInfo(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def _question(user: UserInfo, spec: Tree) -> tuple[Attributes, list[str]]:
    """And what of it could not be understood, and so is not heeded."""
    asked = spec.get("resourceAttributes")
    if asked is None:
        path = spec["nonResourceAttributes"]
        return Attributes(user, path.get("verb", ""), path=path.get("path", "")), []
    ignored: list[str] = []
    chosen_fields = _selector(asked, "fieldSelector", ignored)
    chosen_labels = _selector(asked, "labelSelector", ignored)
    attributes = Attributes(
        user,
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("version", ""),
        asked.get("resource", ""),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
        field_selector=chosen_fields,
        label_selector=chosen_labels,
    )
    return attributes, ignored


def _selector(asked: Tree, name: str, ignored: list[str]) -> str:
    """A selector as requests write it: what can be understood of it, since less narrows less."""
    selector = asked.get(name) or {}
    made, wrong = [], False
    parse: Callable[[str], object] = fields.parse if name == "fieldSelector" else labels.parse
    for text in [selector.get("rawSelector") or "", *map(_TEXTS[name], selector.get("requirements") or [])]:
        try:
            if text is None:
                raise SelectorError("no such operator")
            made += [text] if parse(text) and text else []
        except SelectorError:
            wrong = True
    if wrong:
        partly = "partially " if made else ""
        ignored.append(f"spec.resourceAttributes.{name} {partly}ignored due to parse error")
    return ",".join(made)


def _field_text(requirement: Tree) -> str | None:
    sign = {"In": "=", "NotIn": "!="}.get(requirement.get("operator", ""))
    values = requirement.get("values") or []
    return f"{requirement['key']}{sign}{fields.escape(values[0])}" if sign and len(values) == 1 else None


def _label_text(requirement: Tree) -> str | None:
    key, listed = requirement["key"], f"({','.join(requirement.get('values') or [])})"
    texts = {"In": f"{key} in {listed}", "NotIn": f"{key} notin {listed}", "Exists": key, "DoesNotExist": f"!{key}"}
    return texts.get(requirement.get("operator", ""))


_TEXTS: Final[dict[str, Callable[[Tree], str | None]]] = {"fieldSelector": _field_text, "labelSelector": _label_text}


class RulesReview:
    """SelfSubjectRulesReview: all that the caller may do in a namespace, as far as RBAC says it."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, target, AUTHORIZATION, "SelfSubjectRulesReview")
        attributes = await admit_action(ctx, target, review)
        namespace = (review.get("spec") or {}).get("namespace", "")
        if not namespace:
            raise errors.bad_request("no namespace on request")
        await see_action(ctx, attributes)
        rules = ctx.services.security.policy.rules_of(ctx.user, namespace)
        review["metadata"], review["spec"] = {}, {}
        review["status"] = {
            "resourceRules": [_resource_rule(rule) for rule in rules if rule.resources],
            "nonResourceRules": [
                {"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}
                for rule in rules
                if rule.non_resource_urls
            ],
        }
        authorizer = ctx.services.security.authorizer
        unlisted = authorizer.unlisted(ctx.user) if isinstance(authorizer, Union) else []
        lost = ctx.services.security.policy.compiled(ctx.user).lost_in(namespace)
        review["status"]["incomplete"] = bool(unlisted)
        if said := aggregate([*lost, *unlisted]):
            review["status"]["evaluationError"] = said
        return answer(ctx, 201, review)


def _resource_rule(rule: PolicyRule) -> Tree:
    written = {"verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources}
    return written | ({"resourceNames": rule.resource_names} if rule.resource_names else {})


class SelfReview:
    """SelfSubjectReview: who am I?"""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, target, AUTHENTICATION, "SelfSubjectReview")
        await see_action(ctx, await admit_action(ctx, target, review))
        review["metadata"] = {"creationTimestamp": now(ctx)}
        review["status"] = {"userInfo": to_tree(ctx.user)}
        return answer(ctx, 201, review)


class TokenReview:
    """TokenReview: whose token is this, and is it for these audiences?"""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, target, AUTHENTICATION, "TokenReview")
        attributes = await admit_action(ctx, target, review)
        spec = review.get("spec") or {}
        token = spec.get("token", "")
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        if attributes is None:
            note_manager(ctx, review)
        await see_action(ctx, attributes)
        audiences = spec.get("audiences") or []
        status = _token_status(ctx, token, audiences)
        if "error" in status and await ctx.services.security.bearer.inquire(token):
            status = _token_status(ctx, token, audiences)
        told = (review.get("status") or {}).get("error")
        review["status"] = ({"error": told} if told else {}) | status
        return answer(ctx, 201, review)


def _token_status(ctx: RequestContext, token: str, audiences: Iterable[str]) -> Tree:
    security = ctx.services.security
    wanted = list(audiences) or list(security.issuer.api_audiences)
    try:
        valid = security.validator.validate(token, wanted)
        if valid is not None:
            return {"authenticated": True, "user": _shown(valid[0]), "audiences": valid[1]}
        user = security.bearer.authenticate_token(token)
    except TokenError as error:
        told = str(error)
        return {"user": {}, "error": told if told == INVALID_TOKEN else f"[{INVALID_TOKEN}, {told}]"}
    except InvalidCredentialError as error:
        return {"user": {}, "error": str(error)}
    # Tokens of other kinds are for the API server itself, whatever audience is asked for.
    shared = [audience for audience in wanted if audience in security.issuer.api_audiences]
    if not shared:
        return {"user": {}, "error": INVALID_TOKEN}
    return {"authenticated": True, "user": _shown(user), "audiences": shared}


def _shown(user: UserInfo) -> Tree:
    """With the group of all who have proved who they are."""
    groups = user.groups if AUTHENTICATED in user.groups else (*user.groups, AUTHENTICATED)
    return to_tree(UserInfo(user.name, user.uid, groups, user.extra))
