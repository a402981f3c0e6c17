"""The service account controller: every namespace has the account that its pods run as by default."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController

DEFAULT = "default"


class ServiceAccountController(KeyedController):
    """Keys are namespaces."""

    name = "serviceaccount-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = context.informers.of(core_v1.Namespace)
        self.accounts = context.informers.of(core_v1.ServiceAccount)
        self.namespaces.subscribe(self.enqueue_change)
        self.accounts.subscribe(self._on_account)

    def _on_account(self, old: core_v1.ServiceAccount | None, new: core_v1.ServiceAccount | None) -> None:
        if new is None and old is not None and old.metadata.name == DEFAULT:
            self.queue.add(("", old.metadata.namespace or ""))

    async def reconcile(self, key: Key) -> None:
        if not is_active(self.namespaces.get(key[1])) or self.accounts.get(DEFAULT, key[1]) is not None:
            return
        account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name=DEFAULT, namespace=key[1]))
        try:
            self.accounts.assume(await self.client.create(account))
        except errors.StatusError as error:
            if not errors.is_already_exists(error) and not errors.is_namespace_terminating(error):
                raise


def is_active(namespace: core_v1.Namespace | None) -> bool:
    """Whether things may still be made in it."""
    return (
        namespace is not None
        and namespace.metadata.deletion_timestamp is None
        and namespace.status.phase in (None, "", "Active")
    )
