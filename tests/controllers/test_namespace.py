"""Namespaces: what is made in new ones, and how those that are deleted are emptied."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.types import apiregistration_v1, core_v1, meta_v1
from pybernetes.controllers.namespace.conditions import Remains, conditions_of
from pybernetes.controllers.namespace.controller import recheck_seconds


def messages(remains: Remains) -> dict[str, tuple[str, str]]:
    return {found.type: (found.status, found.message or "") for found in conditions_of([], remains, "now")}


def test_what_remains_is_told() -> None:
    found = messages(Remains({"pods": 2, "widgets.example.com": 1}, {"example.com/keep": 1}))
    assert found["NamespaceContentRemaining"] == (
        "True", "Some resources are remaining: pods has 2 resource instances, widgets.example.com has 1 resource instances",
    )  # fmt: skip
    assert found["NamespaceFinalizersRemaining"] == (
        "True", "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances",
    )  # fmt: skip
    assert found["NamespaceDeletionContentFailure"][0] == "False"


def test_conditions_that_stay_keep_their_time() -> None:
    first = conditions_of([], Remains({"pods": 2}), "t1")
    assert conditions_of(first, Remains({"pods": 2}), "t2") == first
    later = {found.type: found.last_transition_time for found in conditions_of(first, Remains({"pods": 1}), "t2")}
    assert later["NamespaceContentRemaining"] == "t1"
    gone = {found.type: found.last_transition_time for found in conditions_of(first, Remains(), "t2")}
    assert gone["NamespaceContentRemaining"] == "t2"


async def is_gone(world: Any) -> bool:
    try:
        await world.client.get(core_v1.Namespace, world.namespace)
    except StatusError as error:
        return error.code == 404
    return False


async def test_a_deleted_namespace_is_emptied_and_goes(world_of: Callable[..., Any]) -> None:
    async with world_of("namespace-controller,kubelet") as world:
        for name in ("a", "b"):
            meta = meta_v1.ObjectMeta(name=name, namespace=world.namespace)
            await world.client.create(core_v1.ConfigMap(metadata=meta))
            spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
            await world.client.create(core_v1.Pod(metadata=meta, spec=spec))
        await world.client.delete(core_v1.Namespace, world.namespace)
        await world.eventually(lambda: is_gone(world))


async def test_what_holds_a_namespace_up_is_told(world_of: Callable[..., Any]) -> None:
    async with world_of("namespace-controller") as world:
        meta = meta_v1.ObjectMeta(name="kept", namespace=world.namespace, finalizers=["example.com/keep"])
        await world.client.create(core_v1.ConfigMap(metadata=meta))
        await world.client.delete(core_v1.Namespace, world.namespace)

        async def tells() -> bool:
            found = await world.client.get(core_v1.Namespace, world.namespace)
            return any("example.com/keep in 1" in (condition.message or "") for condition in found.status.conditions)

        await world.eventually(tells)
        await world.client.patch(core_v1.ConfigMap, "kept", world.namespace, {"metadata": {"finalizers": None}})
        await world.eventually(lambda: is_gone(world))


async def test_a_namespace_stays_while_an_api_does_not_answer(world_of: Callable[..., Any]) -> None:
    """What it holds of that API nobody knows."""
    async with world_of("namespace-controller") as world:
        reference = apiregistration_v1.ServiceReference(name="gone", namespace="default")
        spec = apiregistration_v1.APIServiceSpec(
            group="wild.test", version="v1", group_priority_minimum=10, version_priority=5,
            insecure_skip_tls_verify=True, service=reference,
        )  # fmt: skip
        named = meta_v1.ObjectMeta(name="v1.wild.test")
        await world.client.create(apiregistration_v1.APIService(metadata=named, spec=spec))

        async def is_unavailable() -> bool:
            found = await world.client.get(apiregistration_v1.APIService, "v1.wild.test")
            return any(condition.status == "False" for condition in found.status.conditions)

        await world.eventually(is_unavailable)
        await world.client.delete(core_v1.Namespace, world.namespace)

        async def tells() -> bool:
            found = await world.client.get(core_v1.Namespace, world.namespace)
            said = "stale GroupVersion discovery: wild.test/v1"
            return any(said in (condition.message or "") for condition in found.status.conditions)

        await world.eventually(tells)
        await world.client.delete(apiregistration_v1.APIService, "v1.wild.test")
        await world.eventually(lambda: is_gone(world))


async def test_new_namespaces_get_an_account_and_the_root_ca(world_of: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CERTIFICATE")
    controllers = "serviceaccount-controller,root-ca-certificate-publisher-controller"
    async with world_of(controllers, root_ca_file=str(tmp_path / "ca.crt")) as world:
        await world.client.delete(core_v1.ServiceAccount, "default", world.namespace)

        async def has_both() -> bool:
            accounts = {
                found.metadata.name
                for found in (await world.client.list(core_v1.ServiceAccount, world.namespace)).items
            }
            maps = {
                found.metadata.name: found.data
                for found in (await world.client.list(core_v1.ConfigMap, world.namespace)).items
            }
            return "default" in accounts and maps.get("kube-root-ca.crt") == {"ca.crt": "CERTIFICATE"}

        await world.eventually(has_both)
        await world.client.patch(core_v1.ConfigMap, "kube-root-ca.crt", world.namespace, {"data": {"ca.crt": "forged"}})
        await world.eventually(has_both)


@pytest.mark.parametrize(
    ("age", "only_pods", "expected"), [(0, False, 1), (5, False, 1), (60, False, 6), (3600, False, 10), (5, True, 5)]
)
def test_what_takes_long_is_looked_at_more_rarely(age: float, only_pods: bool, expected: float) -> None:
    assert recheck_seconds(age, only_pods=only_pods) == expected
