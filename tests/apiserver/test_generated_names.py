"""Names that the server makes: one that is taken is made anew, and so is what a kind makes of it."""

from pathlib import Path
from typing import Any

from tests.apiserver.inprocess import POD, Server, server

JOB = {"metadata": {"generateName": "j-"}, "spec": {"template": {"spec": {**POD["spec"], "restartPolicy": "Never"}}}}
KEYS = {
    "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "matchLabelKeys": ["app"],
    "labelSelector": {},
}  # fmt: skip
SPREAD = {
    "metadata": {"generateName": "p-", "labels": {"app": "a"}},
    "spec": {**POD["spec"], "topologySpreadConstraints": [KEYS]},
}


async def made_twice(api: Server, group: str, version: str, plural: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Two objects, of which the second is given the name of the first at first."""
    served = api.services.registry.served(group, version, plural)
    assert served is not None
    root = f"/apis/{group}" if group else "/api"
    made = []
    for _ in range(2):
        served.store.rng.seed(7)
        answer = await api.post(f"{root}/{version}/namespaces/default/{plural}", body)
        assert answer.status == 201, answer.message
        made.append(answer.tree)
    assert made[0]["metadata"]["name"] != made[1]["metadata"]["name"]
    return made


async def test_what_is_made_of_a_name_is_made_of_the_last(tmp_path: Path) -> None:
    async with server(tmp_path) as api:
        for job in await made_twice(api, "batch", "v1", "jobs", JOB):
            labels = job["spec"]["template"]["metadata"]["labels"]
            assert labels["job-name"] == labels["batch.kubernetes.io/job-name"] == job["metadata"]["name"]
        for pod in await made_twice(api, "", "v1", "pods", SPREAD):
            (constraint,) = pod["spec"]["topologySpreadConstraints"]
            assert constraint["labelSelector"]["matchExpressions"] == [
                {"key": "app", "operator": "In", "values": ["a"]}
            ]
