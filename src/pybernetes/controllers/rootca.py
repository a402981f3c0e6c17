"""The root CA publisher: every namespace has the certificate by which its pods know the API server."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.serviceaccount import is_active

CONFIG_MAP = "kube-root-ca.crt"
DESCRIPTION_ANNOTATION = "kubernetes.io/description"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCAPublisher(KeyedController):
    """Keys are namespaces. Without `--root-ca-file` it does nothing."""

    name = "root-ca-certificate-publisher-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        file = context.options.root_ca_file
        self._data = {"ca.crt": Path(file).read_text()} if file else {}
        self.namespaces = context.informers.of(core_v1.Namespace)
        self.maps = context.informers.of(core_v1.ConfigMap, field_selector=f"metadata.name={CONFIG_MAP}")
        if self._data:
            self.namespaces.subscribe(self.enqueue_change)
            self.maps.subscribe(self._on_map)

    def _on_map(self, old: core_v1.ConfigMap | None, new: core_v1.ConfigMap | None) -> None:
        found = new or old
        if found is not None and (new is None or new.data != self._data):
            self.queue.add(("", found.metadata.namespace or ""))

    async def reconcile(self, key: Key) -> None:
        if not is_active(self.namespaces.get(key[1])):
            return
        current = self.maps.get(CONFIG_MAP, key[1])
        try:
            if current is None:
                self.maps.assume(await self.client.create(self._wanted(key[1])))
            elif current.data != self._data:
                self.maps.assume(await self.client.update(msgspec.structs.replace(current, data=self._data)))
        except errors.StatusError as error:
            if not errors.is_already_exists(error) and not errors.is_namespace_terminating(error):
                raise

    def _wanted(self, namespace: str) -> core_v1.ConfigMap:
        metadata = meta_v1.ObjectMeta(
            name=CONFIG_MAP, namespace=namespace, annotations={DESCRIPTION_ANNOTATION: DESCRIPTION}
        )
        return core_v1.ConfigMap(metadata=metadata, data=self._data)
