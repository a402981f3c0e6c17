"""Helm with a chart of what charts bring: a definition and an object of it, hooks, lookups, tests, a schema of values."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.live import Failed, LiveCluster

pytestmark = pytest.mark.live

CHART = str(Path(__file__).parent / "chart")
WAIT = ("--wait", "--timeout", "60s")


class Release:
    def __init__(self, cluster: LiveCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def helm(self, *arguments: str) -> str:
        return self.cluster.run(["helm", *arguments, "--namespace", self.namespace])

    def get(self, *arguments: str) -> dict:
        return self.cluster.get(*arguments, "--namespace", self.namespace)

    def names(self, kinds: str) -> set[str]:
        return {item["metadata"]["name"] for item in self.get(kinds)["items"]}

    def seen(self) -> tuple[int, str, str]:
        """Ready replicas, and both values of the chart's ConfigMap."""
        data = self.get("configmap", "shop")["data"]
        return self.get("deployment", "shop")["status"]["readyReplicas"], data["greeting"], data["first"]


def test_life_of_a_release(cluster: LiveCluster, namespace: str) -> None:
    shop = Release(cluster, namespace)

    with pytest.raises(Failed, match="at '/replicas': minimum: got -1, want 0"):
        shop.helm("install", "shop", CHART, "--set", "replicas=-1")
    notes = shop.helm("install", "shop", CHART, *WAIT)
    assert "shop answers as shop.example on Kubernetes v1.36" in notes
    assert shop.seen() == (1, "hello", "hello")
    assert shop.get("orders", "shop-first")["spec"] == {"item": "hello", "count": 1}
    before = shop.get("job", "shop-pre-install")["status"]["completionTime"]
    assert before <= shop.get("deployment", "shop")["metadata"]["creationTimestamp"]
    assert "the greeting is there" in shop.helm("test", "shop", "--logs")
    assert shop.names("ingress,poddisruptionbudget,networkpolicy,horizontalpodautoscaler,service") == {"shop"}

    shop.helm("upgrade", "shop", CHART, "--set", "greeting=welcome,replicas=2", *WAIT)
    assert shop.seen() == (2, "welcome", "hello")
    assert shop.names("jobs") >= {"shop-migrate-2"}
    assert not shop.names("jobs") & {"shop-migrate-1"}
    with pytest.raises(Failed, match=r"pre-upgrade hooks failed: .*status: Failed, message: Job Failed\. failed: 1/1"):
        shop.helm("upgrade", "shop", CHART, "--set", "greeting=never,failing=true", *WAIT)
    assert shop.seen() == (2, "welcome", "hello")
    with pytest.raises(Failed, match=r"spec\.count: Invalid value: 0: spec\.count in body should be greater than"):
        shop.helm("upgrade", "shop", CHART, "--set", "count=0", *WAIT)

    shop.helm("rollback", "shop", "1", *WAIT)
    assert shop.seen() == (1, "hello", "hello")
    assert "Rollback to 1" in shop.helm("history", "shop").splitlines()[-1]

    shop.helm("uninstall", "shop", *WAIT)
    assert shop.names("deployments,services,orders,secrets,ingresses,roles,rolebindings") == set()
    assert shop.get("job", "shop-post-delete")["status"]["succeeded"] == 1
    assert cluster.get("crd", "orders.shop.example")["spec"]["names"]["kind"] == "Order"


def test_what_others_own_is_not_taken(cluster: LiveCluster, namespace: str) -> None:
    """Server-side apply of helm meets the field of another manager, and an object that no release owns."""
    shop = Release(cluster, namespace)
    cluster.kubectl("create", "configmap", "shop", "-n", namespace, "--from-literal=greeting=mine")
    with pytest.raises(Failed, match=r'ConfigMap "shop" in namespace .* exists and cannot be imported'):
        shop.helm("install", "shop", CHART)
    shop.helm("install", "shop", CHART, "--take-ownership", "--no-hooks", "--force-conflicts")
    assert shop.get("configmap", "shop")["data"]["greeting"] == "hello"
    cluster.kubectl("scale", "deployment/shop", "--replicas=2", "-n", namespace)
    with pytest.raises(Failed, match=r'conflict with "kubectl" .*: \.spec\.replicas'):
        shop.helm("upgrade", "shop", CHART, "--no-hooks")
    shop.helm("upgrade", "shop", CHART, "--no-hooks", "--force-conflicts")
    assert shop.get("deployment", "shop")["spec"]["replicas"] == 1
    assert shop.helm("list", "--no-headers").split()[2] == "3"
    shop.helm("uninstall", "shop", "--no-hooks")
    assert shop.names("deployments,configmaps") == {"kube-root-ca.crt"}
