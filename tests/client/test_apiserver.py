"""The client against the real API server, also one that is killed under it."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.apiservers import APIServer, running_apiserver

from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.config import Config
from pybernetes.client.discovery import discover
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import connect

REVIEW = b'{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}'


def config_map(name: str, **data: str) -> core_v1.ConfigMap:
    return core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, namespace="default"), data=data)


async def eventually(condition: object) -> None:
    async with asyncio.timeout(15):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_verbs_watches_and_a_server_that_is_killed(tmp_path: Path) -> None:
    with running_apiserver(tmp_path) as server:
        await _verbs(server)
        await _survives_kills(server)


async def _verbs(server: APIServer) -> None:
    async with connect(Config(servers=(server.url,)), user_agent="test") as client:
        made = await client.create(config_map("a", one="1"))
        patched = await client.patch(core_v1.ConfigMap, "a", "default", {"data": {"two": "2"}}, PatchType.STRATEGIC)
        assert patched.data == {"one": "1", "two": "2"}
        with pytest.raises(StatusError) as failure:
            await client.update(made)
        assert (failure.value.code, failure.value.reason) == (409, "Conflict")
        with pytest.raises(StatusError) as failure:
            await client.delete(core_v1.ConfigMap, "a", "default", uid="another")
        assert failure.value.reason == "Conflict"
        await client.delete(core_v1.ConfigMap, "a", "default", uid=made.metadata.uid or "")
        for number in range(7):
            await client.create(config_map(f"p{number}"))
        page = await client.list(core_v1.ConfigMap, "default", limit=3)
        rest = await client.list(core_v1.ConfigMap, "default", continue_=page.continue_)
        assert len(page.items) == 3
        assert len(page.items) + len(rest.items) == len((await client.list(core_v1.ConfigMap, "default")).items)
        found = {resource.group_resource: resource for resource in (await discover(client)).resources}
        assert found["deployments.apps"].kind == "Deployment"
        assert not found["nodes"].namespaced
        recorder = EventRecorder(client, "test")
        recorder.event(made, "Normal", "Tested", "it works")
        recorder.event(made, "Normal", "Tested", "it works")
        events: list[core_v1.Event] = []
        async with asyncio.timeout(10):
            while not any(event.count == 2 for event in events):
                events = (await client.list(core_v1.Event, "default", field_selector="reason=Tested")).items
                await asyncio.sleep(0.01)
        assert [event.message for event in events] == ["it works"]


async def test_on_the_socket_of_the_machine_components_say_who_they_are(tmp_path: Path) -> None:
    """Nowhere else; and a server that was killed leaves its socket to the next one."""
    path, kubeconfig = tmp_path / "apiserver.sock", tmp_path / "kubeconfig"
    user = {"as": "system:node:n1", "as-groups": ["system:nodes", "others"]}
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"unix://{path}"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    config = Config.from_kubeconfig(kubeconfig)
    with running_apiserver(tmp_path, f"--local-socket={path}", "--authorization-mode=Node,RBAC") as server:
        for _ in range(2):
            assert await _who(config) == ("system:node:n1", ["system:nodes", "others", "system:authenticated"])
            assert (await _who(replace(config, servers=(server.url,))))[0] == "system:anonymous"
            assert (await _who(replace(config, headers=())))[0] == "system:anonymous"
            assert path.stat().st_mode & 0o777 == 0o600
            await asyncio.to_thread(server.kill)
            assert path.exists()
            await asyncio.to_thread(server.start)


async def _who(config: Config) -> tuple[str, list[str]]:
    async with connect(config, user_agent="test") as client, asyncio.timeout(15):
        while True:
            try:
                answer = await client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=REVIEW)
            except StatusError as error:
                if error.reason == "ServiceUnavailable":  # it listens there last
                    await asyncio.sleep(0.01)
                    continue
                return "system:anonymous" if "system:anonymous" in error.message else "", []
            found = json.loads(answer.body)["status"]["userInfo"]
            return found["username"], found["groups"]


async def _survives_kills(server: APIServer) -> None:
    """No change is lost and none is told twice, however often the server dies."""
    async with connect(Config(servers=(server.url,)), user_agent="test") as client:
        informers = Informers(client)
        maps = informers.of(core_v1.ConfigMap, "default")
        told: list[str] = []
        maps.subscribe(lambda old, new: told.append((new or old or config_map("")).metadata.name or ""))
        async with informers.running():
            await informers.wait_synced()
            told.clear()
            for number in range(2):
                await client.create(config_map(f"k{number}"))
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            await client.create(config_map("last"))
            await eventually(lambda: maps.get("last", "default"))
    assert told == ["k0", "k1", "last"]
