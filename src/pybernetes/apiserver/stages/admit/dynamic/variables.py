"""What expressions see of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pybernetes.api.cel.library.authorizer import Asker, Check
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.context import Tree, UserInfo
from pybernetes.apiserver.stages.authorize.attributes import Attributes as Question
from pybernetes.apiserver.stages.authorize.attributes import Authorizer


def admission_request(attributes: Attributes) -> Tree:
    """`request`, in the form of an AdmissionReview's but for uid and objects."""
    resource = attributes.resource
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    named = {"group": resource.group, "version": resource.version, "resource": resource.plural}
    return {
        "kind": kind, "resource": named, "subResource": attributes.subresource,
        "requestKind": kind, "requestResource": named, "requestSubResource": attributes.subresource,
        "name": attributes.name, "namespace": attributes.namespace, "operation": attributes.operation,
        "userInfo": user_info(attributes.ctx.user), "dryRun": attributes.dry_run, "options": attributes.options or None,
    }  # fmt: skip


def user_info(user: UserInfo) -> Tree:
    extra = {key: list(values) for key, values in user.extra.items()}
    return {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}


def whole(tree: Tree | None, attributes: Attributes) -> Tree | None:
    """An object with its apiVersion and kind, which stored ones are without."""
    if tree is None or "kind" in tree:
        return tree
    return {"apiVersion": attributes.resource.api_version, "kind": attributes.resource.kind, **tree}


def variables_of(attributes: Attributes, authorizer: Authorizer) -> dict[str, object]:
    """`object`, `oldObject`, `request` and `authorizer`."""
    ask = _asks(authorizer, attributes.ctx.user)
    resource = attributes.resource
    about = Check(
        ask, group=resource.group, resource=resource.plural, subresource=attributes.subresource,
        namespace=attributes.namespace, name=attributes.name,
    )  # fmt: skip
    return {
        "object": whole(attributes.object, attributes),
        "oldObject": whole(attributes.old, attributes),
        "request": admission_request(attributes),
        "authorizer": Asker(ask),
        "authorizer.requestResource": about,
    }


def _asks(authorizer: Authorizer, user: UserInfo) -> Any:
    def ask(check: Check) -> tuple[bool, str]:
        decision = authorizer.authorize(
            Question(
                _account(check.account) if check.account else user, check.verb, check.group, "*", check.resource,
                check.subresource, check.namespace, check.name, check.path, check.field_selector,
            )
        )  # fmt: skip
        return decision.allowed, decision.reason

    return ask


def _account(account: tuple[str, str]) -> UserInfo:
    namespace, name = account
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return UserInfo(f"system:serviceaccount:{namespace}:{name}", groups=groups)


def namespace_object(namespace: Tree | None) -> Mapping[str, object] | None:
    """`namespaceObject`: what policies may know of a namespace."""
    if namespace is None:
        return None
    metadata = {key: value for key, value in namespace["metadata"].items() if key != "managedFields"}
    return {"metadata": metadata, "spec": namespace.get("spec") or {}, "status": namespace.get("status") or {}}
