"""The etcd of an upstream cluster is taken over: what is in it is served, and written anew as ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import TOKENS, Server
from tests.etcds import running_etcd

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api.protobuf import encode_object
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.options import parse
from pybernetes.apiserver.storage import open_backend
from pybernetes.store.backend import Backend

MAPS = "/api/v1/namespaces/default/configmaps"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
META = {"uid": "9a1bd82b-8c29-4f4a-b0a0-f2a5a3a2a001", "creationTimestamp": "2026-01-02T03:04:05Z"}


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a message."""
    assert len(payload) < 128
    return bytes((number << 3 | 2, len(payload))) + payload


# A ConfigMap as upstream stores it, byte for byte by the field numbers of its API: metadata 1 (name 1, namespace 3,
# uid 5, creationTimestamp 8), data 2; in an envelope of type 1 (apiVersion 1, kind 2), raw 2, encoding 3, content type 4.
CONFIG_MAP = b"k8s\x00" + b"".join((
    field(1, field(1, b"v1") + field(2, b"ConfigMap")),
    field(2, field(1, b"".join((
        field(1, b"theirs"), field(2, b""), field(3, b"default"), field(4, b""), field(5, META["uid"].encode()),
        field(6, b""), b"\x38\x00", field(8, b"\x08" + b"\xa5\xeb\xdc\xca\x06" + b"\x10\x00"),
    ))) + field(2, field(1, b"k") + field(2, b"v"))),
    field(3, b""), field(4, b""),
))  # fmt: skip


@dataclass
class Upstream:
    """Writes into the store as an upstream server does."""

    etcd: str
    backend: Backend

    async def put(self, key: str, value: bytes | dict[str, Any]) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        assert (await self.backend.create(f"/registry/{key}".encode(), data)).succeeded

    async def stored(self, key: str) -> bytes:
        found, _ = await self.backend.get(f"/registry/{key}".encode())
        assert found is not None
        return found.value


@pytest.fixture
async def upstream(tmp_path: Path) -> AsyncIterator[Upstream]:
    with running_etcd(tmp_path / "etcd") as etcd:
        backend = await open_backend(f"etcd://{etcd}")
        yield Upstream(etcd, backend)
        await backend.close()


@pytest.fixture
async def server(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Server]:
    """A server of ours over what upstream has left there."""
    await upstream.put("configmaps/default/theirs", CONFIG_MAP)
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "default", **META},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    }  # fmt: skip
    await upstream.put("deployments/default/d", encode_object(deployment))
    scaler = {
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "default", **META},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
        },
    }  # fmt: skip
    await upstream.put("horizontalpodautoscalers/default/h", scaler)
    names = {"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": {"name": "things.example.com", **META},
        "spec": {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version],
                 "conversion": {"strategy": "None"}},
    }  # fmt: skip
    await upstream.put("apiextensions.k8s.io/customresourcedefinitions/things.example.com", definition)
    thing = {
        "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "default", **META}, "x": 1,
    }  # fmt: skip
    await upstream.put("example.com/things/default/t", thing)
    await upstream.put("configmaps/default/broken", CONFIG_MAP[:40])
    await upstream.put(
        "configmaps/default/newer", {"kind": "ConfigMap", "apiVersion": "v9", "metadata": {"name": "newer"}}
    )
    await upstream.put("masterleases/10.0.0.9", {"kind": "Endpoints", "apiVersion": "v1", "metadata": {}})
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(TOKENS)
    options = parse([f"--token-auth-file={tokens}", "--secure-port=1", f"--etcd-servers=http://{upstream.etcd}"])
    async with AsyncExitStack() as stack:
        backend = await open_backend(options.storage)
        stack.push_async_callback(backend.close)
        scope = await stack.enter_async_context(open_scope("server"))
        clock = FakeClock()
        yield Server(await stack.enter_async_context(started(options, backend, scope, clock)), clock)


async def test_what_upstream_wrote_is_served(server: Server) -> None:
    theirs = (await server.get(f"{MAPS}/theirs")).tree
    assert (theirs["data"], theirs["metadata"]["uid"]) == ({"k": "v"}, META["uid"])
    assert theirs["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert [item["metadata"]["name"] for item in (await server.get(MAPS)).tree["items"]] == ["theirs"]
    deployment = (await server.get("/apis/apps/v1/namespaces/default/deployments/d")).tree
    assert (deployment["spec"]["replicas"], deployment["spec"]["revisionHistoryLimit"]) == (2, 10)
    assert deployment["spec"]["template"]["spec"]["restartPolicy"] == "Always"
    scaler = (await server.get(f"{AUTOSCALERS}/h")).tree
    assert scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    things = "/apis/example.com/v1/namespaces/default/things/t"
    while (await server.raw("GET", things)).status != 200:
        await server.clock.settle()
    assert (await server.get(things)).tree["x"] == 1


async def test_what_is_written_is_stored_as_ours(server: Server, upstream: Upstream) -> None:
    theirs = (await server.get(f"{MAPS}/theirs")).tree
    assert (await server.call("PUT", f"{MAPS}/theirs", theirs)).status == 200  # as it was: rewritten all the same
    stored = await upstream.stored("configmaps/default/theirs")
    assert stored.startswith(b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{')
    assert (await server.call("PUT", f"{MAPS}/theirs", (await server.get(f"{MAPS}/theirs")).tree)).status == 200
    assert await upstream.stored("configmaps/default/theirs") == stored
    assert (
        await server.merge("/apis/apps/v1/namespaces/default/deployments/d", {"spec": {"replicas": 3}})
    ).status == 200
    assert json.loads(await upstream.stored("deployments/default/d"))["spec"]["replicas"] == 3
    assert (await server.delete(f"{AUTOSCALERS}/h")).status == 200
    assert (await server.get(f"{AUTOSCALERS}/h")).status == 404


async def test_values_of_once_without_a_type_are_read_and_written_anew(server: Server, upstream: Upstream) -> None:
    """Ours were stored so before upstream was to read them."""
    once = {"metadata": {"name": "once", "namespace": "default", **META}, "data": {"k": "v"}}
    await upstream.put("configmaps/default/once", json.dumps(once, separators=(",", ":")).encode())
    found = (await server.get(f"{MAPS}/once")).tree
    assert (found["kind"], found["data"]) == ("ConfigMap", {"k": "v"})
    assert (await server.call("PUT", f"{MAPS}/once", found)).status == 200
    stored = json.loads(await upstream.stored("configmaps/default/once"))
    assert (stored["apiVersion"], stored["kind"], stored["data"]) == ("v1", "ConfigMap", {"k": "v"})


async def test_every_object_of_the_server_has_its_type(server: Server, upstream: Upstream) -> None:
    """So that an upstream server can go on with it; entries that are no objects are upstream's too."""
    stored = {pair.key.decode(): pair.value for pair in (await upstream.backend.range(b"/registry/")).items}
    ours = {
        key: json.loads(value) for key, value in stored.items() if value.startswith((b'{"apiVersion', b'{"metadata'))
    }
    assert len(ours) > 100
    kinds = {key.split("/")[2]: (value.get("apiVersion"), value.get("kind")) for key, value in ours.items()}
    assert kinds["clusterroles"] == ("rbac.authorization.k8s.io/v1", "ClusterRole")
    assert all(all(kind) for kind in kinds.values())


async def test_what_upstream_writes_meanwhile_is_seen(server: Server, upstream: Upstream) -> None:
    other = CONFIG_MAP.replace(b"theirs", b"second")
    await upstream.put("configmaps/default/second", other)
    assert (await server.get(f"{MAPS}/second")).tree["data"] == {"k": "v"}
    await upstream.backend.delete(b"/registry/configmaps/default/second")
    async with asyncio.timeout(20):
        while (await server.get(f"{MAPS}/second")).status != 404:
            await server.clock.settle()
