"""ValidatingAdmissionWebhook: all are asked at once, the first that refuses is told."""

from __future__ import annotations

import asyncio

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.faces import Face
from pybernetes.apiserver.stages.admit.dynamic.webhooks import Webhook, Webhooks


class WebhookValidator:
    """See the module."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def __call__(self, attributes: Attributes) -> None:
        met = [pair async for pair in self._webhooks.met(attributes)]
        if not met:
            return
        refusals: dict[str, StatusError] = {}

        async def ask(webhook: Webhook, face: Face) -> None:
            try:
                await self._webhooks.call(webhook, face)
            except StatusError as error:
                refusals[webhook.name] = error

        async with asyncio.TaskGroup() as group:
            for webhook, face in met:
                group.create_task(ask(webhook, face), name=f"webhook {webhook.name}")
        for webhook, _ in met:
            if webhook.name in refusals:
                raise refusals[webhook.name]
