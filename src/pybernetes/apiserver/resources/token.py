"""`serviceaccounts/<name>/token`: a token of the account, bound to what the request names."""

from __future__ import annotations

from datetime import UTC, datetime

from pybernetes.api import errors, field
from pybernetes.api.field import FieldError, Path
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.registry.metadata import timestamp
from pybernetes.apiserver.resources.body import admit_action, answer, note_manager, read_object, see_action
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.apiserver.stages.authenticate.tokens.claims import Ref
from pybernetes.apiserver.stages.authenticate.tokens.issuer import HOUR, Binding

LEAST, MOST = 600, 1 << 32
SPEC = Path("spec")


class TokenAction:
    """POST of a TokenRequest."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        request = await read_object(ctx, target, "authentication.k8s.io/v1", "TokenRequest")
        spec = request.setdefault("spec", {})
        spec.setdefault("expirationSeconds", HOUR)
        attributes = await admit_action(ctx, target, request)
        if attributes is None:
            note_manager(ctx, request, "token")
        account = ctx.services.registry.get(target.resource, target.name, target.namespace)
        if account is None:
            raise errors.not_found("", "serviceaccounts", target.name)
        given, spec = request["metadata"], request["spec"]
        if given.setdefault("name", target.name) != target.name:
            words = "must match the service account name if specified"
            wrong = [field.invalid(Path("metadata").child("name"), given["name"], words)]
            raise errors.invalid("authentication.k8s.io", "TokenRequest", target.name, wrong)
        if not spec.get("audiences"):
            spec["audiences"] = list(ctx.services.security.issuer.api_audiences)
        if wrong := _errors(spec):
            raise errors.invalid("authentication.k8s.io", "TokenRequest", "", wrong)
        reference = Ref(target.name, account.tree["metadata"]["uid"])
        given |= {"uid": reference.uid, "creationTimestamp": timestamp(ctx.services.clock.now())}
        await see_action(ctx, attributes)
        binding = _bind(ctx, target.namespace, reference, spec.get("boundObjectRef"))
        token, expires = ctx.services.security.issuer.issue(binding, spec["audiences"], spec["expirationSeconds"])
        request["status"] = {"token": token, "expirationTimestamp": timestamp(datetime.fromtimestamp(expires, UTC))}
        return answer(ctx, 201, request)


def _errors(spec: Tree) -> list[FieldError]:
    seconds = spec["expirationSeconds"]
    where = SPEC.child("expirationSeconds")
    if seconds < LEAST:
        return [field.invalid(where, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > MOST:
        return [field.invalid(where, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _bind(ctx: RequestContext, namespace: str, account: Ref, reference: Tree | None) -> Binding:
    if reference is None:
        return Binding(namespace, account)
    kind = reference.get("kind", "")
    if (reference.get("apiVersion") or "v1") != "v1" or kind not in ("Pod", "Secret", "Node"):
        group, version = split_api_version(reference.get("apiVersion") or "")
        raise errors.bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
    plural = f"{kind.lower()}s"
    found = _object(ctx, plural, "" if kind == "Node" else namespace, reference)
    bound = Ref(found["metadata"]["name"], found["metadata"]["uid"])
    if kind == "Secret":
        return Binding(namespace, account, secret=bound)
    if kind == "Node":
        return Binding(namespace, account, node=bound)
    if found["spec"].get("serviceAccountName") != account.name:
        raise errors.bad_request(
            f'cannot bind token for serviceaccount "{account.name}" to pod running with different serviceaccount name.'
        )
    return Binding(namespace, account, pod=bound, node=_node_of(ctx, found))


def _object(ctx: RequestContext, plural: str, namespace: str, reference: Tree) -> Tree:
    name = reference.get("name", "")
    item = ctx.services.registry.get(builtin("", "v1", plural), name, namespace)
    if item is None:
        raise errors.not_found("", plural, name)
    uid, actual = reference.get("uid"), item.tree["metadata"]["uid"]
    if uid and uid != actual:
        cause = f"the UID in the bound object reference ({uid}) does not match the UID in record. "
        raise errors.conflict(
            "", reference["kind"], name, cause + "The object might have been deleted and then recreated"
        )
    return item.tree


def _node_of(ctx: RequestContext, pod: Tree) -> Ref | None:
    name = pod["spec"].get("nodeName", "")
    if not name:
        return None
    node = ctx.services.registry.get(builtin("", "v1", "nodes"), name)
    return Ref(name, node.tree["metadata"]["uid"] if node else "")
