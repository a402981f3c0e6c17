"""MutatingAdmissionWebhook: one after the other, each sees what those before it made of the object."""

from __future__ import annotations

import copy
from typing import Final

from pybernetes.api import errors
from pybernetes.api.errors import StatusError
from pybernetes.api.patch.json_patch import json_patch
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.faces import Face, Versions
from pybernetes.apiserver.stages.admit.dynamic.made import Maker
from pybernetes.apiserver.stages.admit.dynamic.webhooks import Webhook, Webhooks, patch_of
from pybernetes.apiserver.webhook_client import CallError

_AGAIN: Final = "IfNeeded"


class WebhookMutator:
    """Webhooks that ask for it are called once more when the object has changed behind them."""

    def __init__(self, webhooks: Webhooks, maker: Maker, versions: Versions) -> None:
        self._webhooks = webhooks
        self._versions = versions
        self._maker = maker

    async def __call__(self, attributes: Attributes) -> None:
        seen: list[tuple[Webhook, Resource, Tree | None]] = []
        async for webhook, face in self._webhooks.met(attributes):
            await self._ask(webhook, face)
            seen.append((webhook, face.resource, copy.deepcopy(attributes.object)))
        for webhook, resource, known in seen[:-1]:
            if webhook.source.get("reinvocationPolicy") == _AGAIN and known != attributes.object:
                await self._ask(webhook, await self._versions.face(attributes, resource))

    async def _ask(self, webhook: Webhook, face: Face) -> None:
        attributes = face.attributes
        response = await self._webhooks.call(webhook, face)
        if response is None or attributes.object is None:
            return
        try:
            operations = patch_of(response)
            if operations:
                await self._maker.replace(face, json_patch(face.object, operations))
        except (CallError, StatusError) as error:
            if webhook.ignores_failure:
                return
            raise errors.internal(f'failed calling webhook "{webhook.name}": {error}') from error
