"""ValidatingAdmissionWebhook: all are asked at once, the first that refuses is told."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.annotations import annotate
from pybernetes.apiserver.stages.admit.dynamic.faces import Face
from pybernetes.apiserver.stages.admit.dynamic.webhooks import Webhook, Webhooks
from pybernetes.apiserver.webhook_client import CallError

_FAILED_OPEN: Final = "failed-open.validating.webhook.admission.k8s.io"


class WebhookValidator:
    """See the module."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def __call__(self, attributes: Attributes) -> None:
        met = [pair async for pair in self._webhooks.met(attributes)]
        if not met:
            return
        refusals: list[StatusError] = []
        all_began = perf_counter()

        async def ask(index: int, webhook: Webhook, face: Face) -> None:
            began = perf_counter()
            try:
                await self._webhooks.call(webhook, face)
            except StatusError as error:
                refusals.append(error)
            except CallError as error:
                try:
                    self._webhooks.failed(webhook, face, error, began)
                except StatusError as refusal:
                    refusals.append(refusal)
                else:
                    annotate(attributes, f"{_FAILED_OPEN}/round_0_index_{index}", webhook.name)

        async with asyncio.TaskGroup() as group:
            for index, (webhook, face) in enumerate(met):
                group.create_task(ask(index, webhook, face), name=f"webhook {webhook.name}")
        attributes.ctx.waited += perf_counter() - all_began
        if refusals:
            raise refusals[0]
