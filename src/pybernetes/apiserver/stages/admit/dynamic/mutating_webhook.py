"""MutatingAdmissionWebhook: one after the other, each sees what those before it made of the object."""

from __future__ import annotations

import copy
from typing import Final

from pybernetes.api import errors
from pybernetes.api.errors import StatusError
from pybernetes.api.patch.json_patch import json_patch
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.stages.admit.dynamic.made import Maker
from pybernetes.apiserver.stages.admit.dynamic.variables import whole
from pybernetes.apiserver.stages.admit.dynamic.webhook_client import CallError
from pybernetes.apiserver.stages.admit.dynamic.webhooks import Webhook, Webhooks, patch_of

_AGAIN: Final = "IfNeeded"


class WebhookMutator:
    """Webhooks that ask for it are called once more when the object has changed behind them."""

    def __init__(self, webhooks: Webhooks, maker: Maker) -> None:
        self._webhooks = webhooks
        self._maker = maker

    async def __call__(self, attributes: Attributes) -> None:
        seen: list[tuple[Webhook, Tree | None]] = []
        for webhook in self._webhooks.met(attributes):
            await self._ask(webhook, attributes)
            seen.append((webhook, copy.deepcopy(attributes.object)))
        for webhook, known in seen[:-1]:
            if webhook.source.get("reinvocationPolicy") == _AGAIN and known != attributes.object:
                await self._ask(webhook, attributes)

    async def _ask(self, webhook: Webhook, attributes: Attributes) -> None:
        response = await self._webhooks.call(webhook, attributes)
        if response is None or attributes.object is None:
            return
        try:
            operations = patch_of(response)
            if operations:
                patched = json_patch(whole(attributes.object, attributes), operations)
                self._maker.replace(attributes, patched)
        except (CallError, StatusError) as error:
            if webhook.ignores_failure:
                return
            raise errors.internal(f'failed calling webhook "{webhook.name}": {error}') from error
