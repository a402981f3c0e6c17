"""What expressions see of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pybernetes.api.cel.library.authorizer import Asker, Check
from pybernetes.api.scheme import Resource, split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.faces import Face
from pybernetes.apiserver.stages.authorize.attributes import Attributes as Question
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.user import UserInfo


def admission_request(face: Face) -> Tree:
    """`request`, in the form of an AdmissionReview's but for uid and objects."""
    attributes = face.attributes
    part = attributes.subresource
    subresources = {"subResource": part, "requestSubResource": part} if part else {}
    namespace = attributes.namespace
    if attributes.resource.group_resource == "namespaces" and attributes.operation != "CREATE":
        namespace = attributes.name
    named = {"name": attributes.name, "namespace": namespace}
    return {
        "kind": _kind(*face.kind), "resource": _named(face.resource),
        "requestKind": _kind(*face.requested_kind), "requestResource": _named(face.requested), **subresources,
        **{key: value for key, value in named.items() if value},
        "operation": attributes.operation, "userInfo": user_info(attributes.ctx.user), "dryRun": attributes.dry_run,
        "options": _options(attributes),
    }  # fmt: skip


def _options(attributes: Attributes) -> Tree | None:
    """Of the operation that there is in the end: a patch updates or creates."""
    if attributes.operation == "CONNECT":
        return None
    given = {key: value for key, value in attributes.options.items() if key not in ("kind", "apiVersion", "force")}
    return {"kind": f"{attributes.operation.title()}Options", "apiVersion": "meta.k8s.io/v1", **given}


def _kind(api_version: str, kind: str) -> Tree:
    group, version = split_api_version(api_version)
    return {"group": group, "version": version, "kind": kind}


def _named(resource: Resource) -> Tree:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def user_info(user: UserInfo) -> Tree:
    """As JSON has it: what is empty is not there."""
    extra = {key: list(values) for key, values in user.extra.items()}
    told = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    return {key: value for key, value in told.items() if value}


def variables_of(face: Face, authorizer: Authorizer) -> dict[str, object]:
    """`object`, `oldObject`, `request` and `authorizer`; who knows a `namespaceObject` adds it."""
    attributes, resource = face.attributes, face.requested
    ask = _asks(authorizer, attributes.ctx.user)
    about = Check(
        ask, group=resource.group, resource=resource.plural, subresource=attributes.subresource,
        namespace=attributes.namespace, name=attributes.name,
    )  # fmt: skip
    return {
        "object": face.object,
        "oldObject": face.old,
        "request": admission_request(face),
        "namespaceObject": None,
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
