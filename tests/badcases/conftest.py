"""The cluster that the bad cases share, with all that each needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.badcases.cases import CASES
from tests.live import LiveCluster, live_cluster

GLOBAL = ("PersistentVolume", "IngressClass")


@pytest.fixture(scope="session")
def badcases(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster in which everything goes wrong at once, each case in its namespace."""
    with live_cluster("badcases", mirror, tmp_path_factory.mktemp("badcases")) as cluster:
        cluster.kubectl("create", "-f", "-", input="\n".join(json.dumps(obj) for obj in everything()))
        yield cluster


def everything() -> list[Any]:
    """All objects of all cases, namespaces first; quotas and the like before what they hold up."""
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.name}} for case in CASES]
    placed = [
        obj if obj["kind"] in GLOBAL else obj | {"metadata": obj["metadata"] | {"namespace": case.name}}
        for case in CASES
        for obj in case.objects
    ]
    return [*spaces, *placed]
