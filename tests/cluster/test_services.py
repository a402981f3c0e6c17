"""Services and their names in a whole cluster, seen from a pod and from the machine."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from tests.live import LiveCluster

pytestmark = pytest.mark.live

OBJECTS = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "nginx", "image": "nginx"}], "terminationGracePeriodSeconds": 1},
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "nodePort": 30123}],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "headless"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "nobody"},
        "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client"},
        "spec": {
            "containers": [{"name": "busybox", "image": "busybox", "command": ["sleep", "1000"]}],
            "terminationGracePeriodSeconds": 1,
        },
    },
]


@pytest.fixture(scope="module")
def services(shared_cluster: LiveCluster) -> Iterator[LiveCluster]:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": OBJECTS})
    shared_cluster.kubectl("apply", "--validate=false", "-f", "-", input=listed)
    shared_cluster.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    shared_cluster.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
    yield shared_cluster
    shared_cluster.kubectl("delete", "-f", "-", input=listed)


def inside(cluster: LiveCluster, *command: str) -> str:
    """The output of a command in the client pod, whatever its exit code."""
    words = ["kubectl", "exec", "client", "--", *command]
    done = subprocess.run(words, env=cluster.environment, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def addresses(cluster: LiveCluster, selector: str) -> list[str]:
    return sorted(pod["status"]["podIP"] for pod in cluster.get("pods", "-l", selector)["items"])


@pytest.mark.parametrize("name", ["web", "web.default", "web.default.svc.cluster.local"])
def test_a_pod_reaches_a_service_by_name(services: LiveCluster, name: str) -> None:
    assert "Welcome to nginx!" in inside(services, "wget", "-q", "-O-", f"http://{name}")


def test_a_headless_service_has_its_pods_addresses(services: LiveCluster) -> None:
    said = inside(services, "nslookup", "-type=a", "headless.default.svc.cluster.local.")
    assert sorted(line.split()[1] for line in said.splitlines() if line.startswith("Address: ")) == addresses(
        services, "app=web"
    )


def test_the_api_has_its_name(services: LiveCluster) -> None:
    said = inside(services, "nslookup", "-type=a", "kubernetes.default.svc.cluster.local.")
    assert f"Address: {services.profile.api_service_address}" in said


def test_a_name_that_nobody_has_is_said_so_at_once(services: LiveCluster) -> None:
    started = time.monotonic()
    assert "bad address" in inside(services, "wget", "-q", "-O-", "http://nothing.default.svc.cluster.local.")
    assert time.monotonic() - started < 5


def test_a_service_without_pods_refuses_at_once(services: LiveCluster) -> None:
    assert "Connection refused" in inside(services, "wget", "-q", "-O-", "http://nobody")


def test_the_machine_reaches_a_node_port(services: LiveCluster) -> None:
    for host in ("127.0.0.1", services.profile.node_address):
        connection = http.client.HTTPConnection(host, 30123, timeout=5)
        connection.request("GET", "/")
        assert b"Welcome to nginx!" in connection.getresponse().read()
        connection.close()


def test_every_pod_of_a_service_gets_its_share(services: LiveCluster) -> None:
    for _ in range(20):
        inside(services, "wget", "-q", "-O/dev/null", "http://web")
    for pod in services.get("pods", "-l", "app=web")["items"]:
        assert "GET / HTTP/1.1" in services.kubectl("logs", pod["metadata"]["name"])


def ingress_pid(cluster: LiveCluster) -> int:
    """0 while there is no process."""
    components = json.loads(cluster.p8s("status", "-o", "json"))["components"]
    return next(int(each["pid"]) for each in components if each["name"] == "ingress")


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def answer(address: str, port: int = 80) -> int:
    """The status of an answer; 0 if nobody listens."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_the_ingress_process_lives_as_long_as_an_ingress_and_comes_back(services: LiveCluster) -> None:
    assert ingress_pid(services) == 0
    services.kubectl("create", "ingress", "web", "--rule=/*=web:http")
    eventually(lambda: answer("127.0.0.1") == 200)
    killed = ingress_pid(services)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: answer("127.0.0.1") == 200 and ingress_pid(services) not in (0, killed))
    services.kubectl("delete", "ingress", "web")
    eventually(lambda: ingress_pid(services) == 0)
    assert answer("127.0.0.1") == 0


def test_a_port_that_is_taken_is_told_with_the_one_that_serves_instead(services: LiveCluster) -> None:
    with socket.create_server(("127.0.0.1", 80)):
        services.kubectl("create", "ingress", "web", "--rule=/*=web:http")
        eventually(lambda: answer("127.0.0.1", 8080) == 200)
        assert answer(services.profile.node_address) == 200
        told = "port 80 of 127.0.0.1 is taken by another program; use http://127.0.0.1:8080"
        assert f"ingress: {told}" in services.p8s("status")
        eventually(lambda: told in services.kubectl("events", "--for", "ingress/web"))
    services.kubectl("delete", "ingress", "web")
    eventually(lambda: ingress_pid(services) == 0)


def test_an_ingress_that_changes_its_class_loses_its_address(services: LiveCluster) -> None:
    services.kubectl("create", "ingress", "web", "--rule=/*=web:http")
    services.kubectl("create", "ingress", "other", "--rule=other.localhost/*=web:http")
    for name in ("web", "other"):
        eventually(lambda name=name: addresses_of(services, name) == [services.profile.node_address])
    services.kubectl("patch", "ingress", "web", "-p", '{"spec": {"ingressClassName": "nginx"}}')
    eventually(lambda: addresses_of(services, "web") == [] and answer("127.0.0.1") == 404)
    services.kubectl("delete", "ingress", "web", "other")


def addresses_of(cluster: LiveCluster, ingress: str) -> list[str]:
    balancer = cluster.get("ingress", ingress)["status"]["loadBalancer"]
    return [each["ip"] for each in balancer.get("ingress", ())]
