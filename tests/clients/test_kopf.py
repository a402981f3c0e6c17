"""An operator written with kopf: handlers for what happens to a custom resource, timers, finalizers, events."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live import LiveCluster

pytestmark = pytest.mark.live

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: vessels.kopf.example}
spec:
  group: kopf.example
  scope: Namespaced
  names: {plural: vessels, singular: vessel, kind: Vessel}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, required: [crew], properties: {crew: {type: integer, minimum: 1}}}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
SHIP = """
apiVersion: kopf.example/v1
kind: Vessel
metadata: {name: argo}
spec: {crew: 50}
"""


@pytest.fixture
def operator(cluster: LiveCluster, namespace: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`kopf run`, which is asked to end, and whose log is shown if the test fails."""
    cluster.kubectl("apply", "-f", "-", input=DEFINITION)
    cluster.kubectl("wait", "--for=condition=Established", "crd/vessels.kopf.example")
    program = Path(__file__).parent / "operator_of_vessels.py"
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", namespace, str(program)]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=cluster.environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)
            print(log.read_text())


def test_operator(cluster: LiveCluster, namespace: str, operator: subprocess.Popen[bytes]) -> None:
    def kubectl(*arguments: str, input: str | None = None) -> str:
        return cluster.kubectl("--namespace", namespace, *arguments, input=input)

    def wait(path: str, value: str, name: str = "vessel/argo") -> None:
        kubectl("wait", f"--for=jsonpath={path}={value}", name, "--timeout=60s")

    kubectl("apply", "-f", "-", input=SHIP)
    wait("{.status.create.port}", "Iolcus")
    ship = cluster.get("vessel", "argo", "-n", namespace)
    assert ship["metadata"]["finalizers"] == ["kopf.example/finalizer"]
    crew = cluster.get("configmap", "argo", "-n", namespace)
    owner = crew["metadata"]["ownerReferences"][0]
    assert (crew["data"], owner["uid"]) == ({"crew": "50"}, ship["metadata"]["uid"])
    wait("{.status.rounds}", "2")

    kubectl("patch", "vessel", "argo", "--type=merge", "-p", '{"spec": {"crew": 49}}')
    wait("{.data.crew}", "49", "configmap/argo")
    kubectl("wait", "--for=create", "event", "--field-selector=reason=Manned", "--timeout=60s")

    kubectl("delete", "vessel", "argo", "--timeout=60s")
    kubectl("get", "configmap", "argo-sank")
    kubectl("wait", "--for=delete", "configmap/argo", "--timeout=60s")
    assert operator.poll() is None
