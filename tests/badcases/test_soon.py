"""The cause stands on the object, or in an event of it, without anybody having asked for it; one case at a time.

Two seconds are the aim. What a case took is printed (`pytest -rP`) and not judged: machines of tests are noisy.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from tests.badcases.cases import CASES, Case
from tests.live import LiveCluster, live_cluster

from pybernetes.cluster.door import Door, open_door

pytestmark = pytest.mark.live

WORDS = {
    "image-missing": r"docker\.io/library/nginx:1\.18\.30: not found",
    "image-name": r"docker\.io/library/ngnix:latest: not found",
    "image-malformed": r"InvalidImageName",
    "registry-down": r"failed to do request.*connection refused",
    "cpu": r"1 Insufficient cpu",
    "memory": r"1 Insufficient memory",
    "node-selector": r"didn't match Pod's node affinity/selector",
    "host-port": r"didn't have free ports for the requested pod ports",
    "affinity": r"didn't match pod affinity rules",
    "claim-none": r"no persistent volumes available for this claim and no storage class is set",
    "claim-class": r"storageclass\.storage\.k8s\.io .*standart.* not found",
    "claim-name": r'persistentvolumeclaim \\?"data\\?" not found',
    "config-map": r"configmap .* not found",
    "quota": r"exceeded quota: ",
    "readiness": r"Readiness probe failed: dial tcp .*: connect: connection refused",
    "liveness": r"Liveness probe failed: Get ",
    "command-missing": r"executable file not found in \$PATH",
    "crash-loop": r'"exitCode": ?3\b',
    "out-of-memory": r'"reason": ?"OOMKilled"',
    "hpa-requests": r"missing request for cpu in container app of Pod web-",
    "hpa-target": r'deployments\.apps \\"wed\\" not found',
    "backoff-limit": r"BackoffLimitExceeded",
    "config-key": r"couldn't find key color in ConfigMap config-key-soon/settings",
    "secret-volume": r'secret \\"keys\\" not found',
    "host-path": r"hostPath type check failed: /etc/hostname is not a directory",
    "root-user": r"container has runAsNonRoot and image will run as root",
    "init-container": r'"exitCode": ?4\b',
    "sidecar": r'"exitCode": ?4\b',
    "readiness-gate": r"corresponding condition of pod readiness gate .* does not exist",
    "stateful": r"docker\.io/library/busybox:missing: not found",
    "limit-range": r"maximum cpu usage per Container is 1, but limit is 2",
    "limit-default": r"must be less than or equal to memory limit of 64Mi",
    "service-account": r"error looking up service account .*not found",
    "hpa-custom": r"unable to fetch metrics from custom metrics API",
    "job-deadline": r"Job was active longer than specified deadline",
    "name-asked": r"asked DNS for .*php-apach\.name-asked-soon\.svc\.cluster\.local",
}
"""Of each case what is to be read there. What a service without endpoints lacks is no word of upstream's."""
PLACES = (
    "/api/v1/namespaces/{}/events", "/api/v1/namespaces/{}/pods", "/api/v1/namespaces/{}/persistentvolumeclaims",
    "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers", "/apis/batch/v1/namespaces/{}/jobs",
    "/apis/apps/v1/namespaces/{}/replicasets",
)  # fmt: skip


@pytest.fixture(scope="module")
def quiet(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster in which nothing else happens."""
    with live_cluster("soon", mirror, tmp_path_factory.mktemp("soon")) as cluster:
        yield cluster


@pytest.mark.parametrize("name", WORDS)
def test_the_cause_is_told(name: str, quiet: LiveCluster) -> None:
    [case] = [case for case in CASES if case.name == name]
    print(f"{name}: {seconds_of(case, f'{name}-soon', quiet):.2f} s")


def seconds_of(case: Case, namespace: str, cluster: LiveCluster) -> float:
    """From when the objects were made."""
    cluster.kubectl("create", "namespace", namespace)
    door = open_door(cluster.name)
    try:
        cluster.kubectl("create", "-n", namespace, "-f", "-", input=documents(case))
        made = time.monotonic()
        return until(door, namespace, WORDS[case.name]) - made
    finally:
        door.close()
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def documents(case: Case) -> str:
    return "\n".join(json.dumps(obj) for obj in case.objects)


def until(door: Door, namespace: str, words: str) -> float:
    """The moment at which the words stand somewhere in the namespace."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for place in PLACES:
            if re.search(words, json.dumps(door.items(place.format(namespace)))):
                return time.monotonic()
        time.sleep(0.02)
    raise AssertionError(f"{words!r} is nowhere in {namespace}")
