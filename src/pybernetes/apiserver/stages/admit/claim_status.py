"""The status of ResourceClaims: binding a claim, and speaking for a driver, are rights of their own (KEP-4817, at 1.36).

Upstream's strategy asks; here whoever asks authorizers is a plugin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pybernetes.api import errors, field, names
from pybernetes.api.errors import StatusError
from pybernetes.api.field import FieldError, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.device_allocation import device_key
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin
from pybernetes.apiserver.stages.authorize.attributes import Attributes as Question
from pybernetes.apiserver.stages.authorize.attributes import Authorizer, decide
from pybernetes.apiserver.stages.authorize.stage import refusal
from pybernetes.apiserver.user import UserInfo

GROUP: Final = "resource.k8s.io"
_NODE: Final = "authentication.kubernetes.io/node-name"
_ACCOUNT: Final = "system:serviceaccount:"


class ResourceClaimStatus(Plugin):
    """See the module."""

    name = "ResourceClaimStatus"
    operations = frozenset(("UPDATE",))
    resources = frozenset((f"resourceclaims.{GROUP}",))
    subresources = frozenset(("status",))

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: Attributes) -> None:
        old = (attributes.old or {}).get("status") or {}
        new = (attributes.object or {}).get("status") or {}
        found = await self._binding(attributes, old, new)
        if new.get("allocation"):
            found += await self._drivers(attributes, old, new)
        if found:
            raise errors.invalid(GROUP, "ResourceClaim", attributes.name, found)

    async def _binding(self, attributes: Attributes, old: Tree, new: Tree) -> list[FieldError]:
        if all(old.get(name) == new.get(name) for name in ("allocation", "reservedFor")):
            return []
        question = _question(attributes, attributes.ctx.info.verb, "binding")
        refused = await self._refused(question)
        if refused is None:
            return []
        what = f'requires resource="resourceclaims/binding", verb="{question.verb}" permission: {refused.message}'
        return [
            field.forbidden(
                Path("status").child("allocation"), f"changing status.allocation or status.reservedFor {what}"
            )
        ]

    async def _drivers(self, attributes: Attributes, old: Tree, new: Tree) -> list[FieldError]:
        """Each driver for which something changes; either of two verbs will do on the node that has the devices."""
        verb, found = attributes.ctx.info.verb, []
        verbs = [f"arbitrary-node:{verb}"]
        if _is_of_node(attributes.ctx.user, _node_of(new["allocation"])):
            verbs.insert(0, f"associated-node:{verb}")
        for driver in _changed(old, new):
            refused = await self._refused_all(attributes, verbs, driver)
            if refused is not None:
                what = f'requires resource="resourceclaims/driver", verb="[{" ".join(verbs)}]" permission'
                words = f"changing status.devices {what}: {refused.message}"
                found.append(field.forbidden(Path("status").child("devices"), words))
        return found

    async def _refused_all(self, attributes: Attributes, verbs: Sequence[str], driver: str) -> StatusError | None:
        """The first refusal, if no verb is allowed."""
        first = None
        for verb in verbs:
            question = _question(attributes, verb, "driver", attributes.namespace, driver)
            refused = await self._refused(question)
            if refused is None:
                return None
            first = first or refused
        return first

    async def _refused(self, question: Question) -> StatusError | None:
        decision = await decide(self._authorizer, question)
        return None if decision.allowed else refusal(question, decision)


def _question(attributes: Attributes, verb: str, subresource: str, namespace: str = "", name: str = "") -> Question:
    version = attributes.resource.version
    return Question(attributes.ctx.user, verb, GROUP, version, "resourceclaims", subresource, namespace, name)


def _changed(old: Tree, new: Tree) -> list[str]:
    """The drivers of devices whose statuses differ."""
    before, after = ({device_key(one): one for one in status.get("devices") or ()} for status in (old, new))
    return sorted({key[0] for key in before.keys() | after.keys() if before.get(key) != after.get(key)})


def _node_of(allocation: Tree) -> str:
    """The one node that has the devices; empty if it is not said by its name alone."""
    terms = (allocation.get("nodeSelector") or {}).get("nodeSelectorTerms") or []
    fields = terms[0].get("matchFields") or [] if len(terms) == 1 and not terms[0].get("matchExpressions") else []
    if len(fields) != 1 or (fields[0]["key"], fields[0]["operator"]) != ("metadata.name", "In"):
        return ""
    values = fields[0].get("values") or []
    return str(values[0]) if len(values) == 1 else ""


def _is_of_node(user: UserInfo, node: str) -> bool:
    """Whether the user is a service account whose token is bound to the node."""
    said = user.extra.get(_NODE, ())
    return bool(node) and user.name.startswith(_ACCOUNT) and list(said) == [node] and not names.dns1123_subdomain(node)
