"""MutatingAdmissionWebhook: one after the other, each sees what those before it made of the object."""

from __future__ import annotations

from time import perf_counter
from typing import Final

from pybernetes.api import errors
from pybernetes.api.field import quote
from pybernetes.api.patch.json_patch import JSONPatchError, patched
from pybernetes.api.tree import Tree, copied
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.annotations import annotate, annotate_json
from pybernetes.apiserver.stages.admit.dynamic.faces import Face
from pybernetes.apiserver.stages.admit.dynamic.made import Maker
from pybernetes.apiserver.stages.admit.dynamic.reviews import operations_of
from pybernetes.apiserver.stages.admit.dynamic.rounds import Invoked
from pybernetes.apiserver.stages.admit.dynamic.webhooks import Webhook, Webhooks
from pybernetes.apiserver.webhook_client import CallError

_NAME: Final = "MutatingAdmissionWebhook"
_ANNOTATION: Final = "mutation.webhook.admission.k8s.io"
_PATCH: Final = "patch.webhook.admission.k8s.io"


class WebhookMutator:
    """Webhooks that ask for it are called once more when the object has changed behind them."""

    def __init__(self, webhooks: Webhooks, maker: Maker) -> None:
        self._webhooks = webhooks
        self._maker = maker

    async def __call__(self, attributes: Attributes) -> None:
        invoked: Invoked | None = None
        is_first = True  # upstream takes the first patch of an object that has a type of its own for a change
        async for webhook, face in self._webhooks.met(attributes):
            invoked = invoked or Invoked.of(attributes, _NAME)
            if invoked.skips(webhook.key):
                continue
            place = f"round_{invoked.round}_index_{webhook.index}"
            changed = await self._ask(webhook, face, place, is_first=is_first and not face.is_custom)
            is_first = is_first and not changed
            invoked.called(webhook.key, webhook.source.get("reinvocationPolicy", ""), changed=changed)
        if invoked is not None:
            invoked.end()

    async def _ask(self, webhook: Webhook, face: Face, place: str, *, is_first: bool) -> bool:
        """Whether it changed the object. Raises StatusError."""
        attributes, changed, began = face.attributes, False, perf_counter()
        try:
            response = await self._webhooks.call(webhook, face)
            operations = operations_of(response)
            if operations:
                changed = await self._patch(webhook, face, operations) or is_first
                about = {"configuration": webhook.configuration, "webhook": webhook.name}
                patch = {**about, "patch": [dict(sorted(one.items())) for one in operations], "patchType": "JSONPatch"}
                annotate_json(attributes, f"{_PATCH}/{place}", patch)
        except CallError as error:
            self._webhooks.failed(webhook, face, error, began)
            annotate(attributes, f"failed-open.{_ANNOTATION}/{place}", webhook.name)
        finally:
            attributes.ctx.waited += perf_counter() - began
            mutated = {"configuration": webhook.configuration, "webhook": webhook.name, "mutated": changed}
            annotate_json(attributes, f"{_ANNOTATION}/{place}", mutated)
        return changed

    async def _patch(self, webhook: Webhook, face: Face, operations: list[Tree]) -> bool:
        """What cannot be patched is an error of the server, whatever the failure policy says. Raises StatusError."""
        if face.object is None or face.attributes.object is None:
            words = "attempted to modify the object, which is not supported for this operation"
            raise errors.internal(f"admission webhook {quote(webhook.name)} {words}")
        before = copied(face.attributes.object)
        try:
            made = patched(face.object, operations)
        except JSONPatchError as error:
            raise errors.internal(str(error)) from error
        await self._maker.replace(face, made)
        return before != face.attributes.object
