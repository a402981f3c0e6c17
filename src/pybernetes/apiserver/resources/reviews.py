"""The reviews: questions to the authorizers and authenticators, answered and never stored."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api import errors, field
from pybernetes.api.field import FieldError, Path
from pybernetes.api.types.rbac_v1 import PolicyRule
from pybernetes.apiserver.context import RequestContext, Tree, UserInfo
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.resources.body import answer, note_manager, read_object
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.apiserver.resources.timestamps import now
from pybernetes.apiserver.stages.authenticate.authenticator import InvalidCredentialError
from pybernetes.apiserver.stages.authenticate.tokens.validator import TokenError
from pybernetes.apiserver.stages.authenticate.user import to_tree
from pybernetes.apiserver.stages.authorize.attributes import Attributes, Union, decide

AUTHORIZATION = "authorization.k8s.io/v1"
UNKNOWN_RULES = "webhook authorizer does not support user rule resolution"
AUTHENTICATION = "authentication.k8s.io/v1"
SPEC = Path("spec")


class AccessReview:
    """SelfSubjectAccessReview, SubjectAccessReview, LocalSubjectAccessReview: may a user do this?"""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, AUTHORIZATION, target.resource.kind)
        is_self = target.resource.kind == "SelfSubjectAccessReview"
        wrong = _access_errors(review, is_self=is_self, namespace=target.namespace)
        if wrong:
            raise errors.invalid("authorization.k8s.io", "", "", wrong)
        note_manager(ctx, review)
        spec = review["spec"]
        user = ctx.user if is_self else _subject(spec)
        decision = await decide(ctx.services.security.authorizer, _question(user, spec))
        review["status"] = {"allowed": decision.allowed} | ({"reason": decision.reason} if decision.reason else {})
        return answer(ctx, 201, review)


def _access_errors(review: Tree, *, is_self: bool, namespace: str) -> list[FieldError]:
    spec = review.get("spec") or {}
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    found: list[FieldError] = []
    if resource is not None and path is not None:
        value = {"Path": path.get("path", ""), "Verb": path.get("verb", "")}
        words = "cannot be specified in combination with resourceAttributes"
        found.append(field.invalid(SPEC.child("nonResourceAttributes"), value, words))
    if resource is None and path is None:
        words = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(field.invalid(SPEC.child("resourceAttributes"), None, words))
    if not is_self and not spec.get("user") and not spec.get("groups"):
        found.append(field.invalid(SPEC.child("user"), "", "at least one of user or group must be specified"))
    asked = (resource or {}).get("namespace", "")
    if namespace and resource is not None and asked != namespace:
        found.append(
            field.invalid(SPEC.child("resourceAttributes", "namespace"), asked, "must match metadata.namespace")
        )
    return found


def _subject(spec: Tree) -> UserInfo:
    extra = {key.lower(): tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return UserInfo(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def _question(user: UserInfo, spec: Tree) -> Attributes:
    asked = spec.get("resourceAttributes")
    if asked is None:
        path = spec["nonResourceAttributes"]
        return Attributes(user, path.get("verb", ""), path=path.get("path", ""))
    return Attributes(
        user,
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("version", ""),
        asked.get("resource", ""),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
        field_selector=(asked.get("fieldSelector") or {}).get("rawSelector", ""),
    )


class RulesReview:
    """SelfSubjectRulesReview: all that the caller may do in a namespace, as far as RBAC says it."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, AUTHORIZATION, "SelfSubjectRulesReview")
        namespace = (review.get("spec") or {}).get("namespace", "")
        if not namespace:
            raise errors.bad_request("no namespace on request")
        rules = ctx.services.security.policy.rules_of(ctx.user, namespace)
        review["spec"] = {}
        review["status"] = {
            "resourceRules": [_resource_rule(rule) for rule in rules if rule.resources],
            "nonResourceRules": [
                {"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}
                for rule in rules
                if rule.non_resource_urls
            ],
            "incomplete": False,
        }
        authorizer = ctx.services.security.authorizer
        if isinstance(authorizer, Union) and authorizer.asks_others:
            review["status"] |= {"incomplete": True, "evaluationError": UNKNOWN_RULES}
        return answer(ctx, 201, review)


def _resource_rule(rule: PolicyRule) -> Tree:
    written = {"verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources}
    return written | ({"resourceNames": rule.resource_names} if rule.resource_names else {})


class SelfReview:
    """SelfSubjectReview: who am I?"""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, AUTHENTICATION, "SelfSubjectReview")
        review["metadata"]["creationTimestamp"] = now(ctx)
        review["status"] = {"userInfo": to_tree(ctx.user)}
        return answer(ctx, 201, review)


class TokenReview:
    """TokenReview: whose token is this, and is it for these audiences?"""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        review = await read_object(ctx, AUTHENTICATION, "TokenReview")
        spec = review.get("spec") or {}
        token = spec.get("token", "")
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        audiences = spec.get("audiences") or []
        status = _token_status(ctx, token, audiences)
        if "error" in status and await ctx.services.security.bearer.inquire(token):
            status = _token_status(ctx, token, audiences)
        review["status"] = status
        return answer(ctx, 201, review)


def _token_status(ctx: RequestContext, token: str, audiences: Iterable[str]) -> Tree:
    security = ctx.services.security
    wanted = list(audiences) or list(security.issuer.api_audiences)
    try:
        valid = security.validator.validate(token, wanted)
        if valid is not None:
            return {"authenticated": True, "user": to_tree(valid[0]), "audiences": valid[1]}
        user = security.bearer.authenticate_token(token)
    except (TokenError, InvalidCredentialError) as error:
        return {"user": {}, "error": str(error)}
    # Tokens of other kinds are for the API server itself, whatever audience is asked for.
    shared = [audience for audience in wanted if audience in security.issuer.api_audiences]
    if not shared:
        return {"user": {}, "error": "token is not for the audiences that are asked for"}
    return {"authenticated": True, "user": to_tree(user), "audiences": shared}
