"""What stages are told of the cluster's objects is what there is now."""

from __future__ import annotations

from pathlib import Path

from tests.apiserver.inprocess import server

from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.stages.registry_objects import RegistryObjects

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


async def test_lists_follow_every_change(tmp_path: Path) -> None:
    async with server(tmp_path) as cluster:
        registry = cluster.services.registry
        objects = RegistryObjects(registry)

        def names() -> set[str]:
            return {one["metadata"]["name"] for one in objects.list("scheduling.k8s.io", "priorityclasses")}

        before = names()
        assert (await cluster.post(CLASSES, {"metadata": {"name": "c"}, "value": 1})).status == 201
        assert names() == before | {"c"}
        # What could not be read before may be readable at the very same revision.
        served = registry.served("scheduling.k8s.io", "v1", "priorityclasses")  # type: ignore[attr-defined]
        cache = served.store.cache
        cache.reset([item for item in cache.select() if item.name != "c"], cache.changed)
        assert names() == before
        assert registry.get(builtin("scheduling.k8s.io", "v1", "priorityclasses"), "c") is None
