"""Objects in the store that no server of ours would have written, on which the server itself stands."""

import asyncio
from pathlib import Path

import pytest
from tests.apiserver.conftest import API
from tests.apiserver.crd.widgets import DEFINITIONS, WIDGETS, definition, until

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.options import Options
from pybernetes.store.sqlite.backend import open_store

DAMAGED = {
    "apiextensions.k8s.io/customresourcedefinitions/bad.other.test": "apiextensions.k8s.io/v1, CustomResourceDefinition",
    "apiregistration.k8s.io/apiservices/v1.bad.shop.test": "apiregistration.k8s.io/v1, APIService",
    "servicecidrs/bad": "networking.k8s.io/v1, ServiceCIDR",
}


@pytest.mark.parametrize("key", DAMAGED)
async def test_an_object_that_is_damaged_keeps_no_other_from_being_followed(key: str, tmp_path: Path) -> None:
    version, kind = DAMAGED[key].split(", ")
    name = key.rpartition("/")[2]
    backend = await open_store(tmp_path / "store.db")
    value = f'{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"{name}","uid":"u"}}}}'
    await backend.create(f"/registry/{key}".encode(), value.encode())
    async with open_scope("test") as scope, started(Options(), backend, scope, SystemClock()) as server:
        api = API(server)
        assert (await api.call("POST", DEFINITIONS, definition())).status == 201
        await until(api, WIDGETS, 200)
        async with asyncio.timeout(10):
            while (await api.call("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.shop.test")).status != 200:
                await asyncio.sleep(0.01)
    await backend.close()
