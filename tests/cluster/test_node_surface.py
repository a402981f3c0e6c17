"""What a node gives beside containers, seen by kubectl: images as volumes, its log directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live import LiveCluster, live_cluster, registry_of_images

pytestmark = pytest.mark.live

POD = """
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  restartPolicy: Never
  volumes: [{name: site, image: {reference: nginx}}]
  containers:
  - name: main
    image: busybox
    command: [sh, -c, "grep -c Welcome /site/index.html; touch /site/made || cat /site/index.html | wc -c"]
    volumeMounts: [{name: site, mountPath: /site, subPath: usr/share/nginx/html}]
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    folder = tmp_path_factory.mktemp("surface")
    with registry_of_images(folder) as mirror, live_cluster("surface", mirror, folder, "--nodes=2") as made:
        yield made


def test_an_image_is_a_volume(cluster: LiveCluster) -> None:
    cluster.kubectl("apply", "-f-", input=POD)
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", "pod/reader")
    counted, error, size = cluster.kubectl("logs", "reader").splitlines()
    assert int(counted) > 0
    assert "Read-only file system" in error
    assert int(size) > 0
    assert cluster.get("pod", "reader")["spec"]["volumes"][0]["image"]["pullPolicy"] == "Always"


def test_the_logs_of_each_node(cluster: LiveCluster) -> None:
    for node in (item["metadata"]["name"] for item in cluster.get("nodes")["items"]):
        listing = cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/logs/")
        assert '<a href="pods/">pods/</a>' in listing
