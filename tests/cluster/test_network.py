"""What pods reach: one another, services by name, the API server with their own credentials, nobody else's ranges."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from tests.live import LiveCluster

pytestmark = pytest.mark.live

CLIENT = """
apiVersion: v1
kind: Pod
metadata: {{name: client}}
spec:
  containers:
    - name: main
      image: busybox
      command: [sleep, "1000"]
      volumeMounts: [{{name: kubectl, mountPath: /usr/local/bin/kubectl}}]
  volumes: [{{name: kubectl, hostPath: {{path: "{kubectl}", type: File}}}}]
"""


@pytest.fixture(scope="module")
def client(shared_cluster: LiveCluster) -> LiveCluster:
    """The cluster with a pod that can speak to it and a service of two web servers."""
    shared_cluster.kubectl("apply", "-f", "-", input=CLIENT.format(kubectl=shutil.which("kubectl")))
    shared_cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    shared_cluster.kubectl("expose", "deployment", "web", "--port=80")
    shared_cluster.kubectl("rollout", "status", "deployment", "web", "--timeout=30s")
    shared_cluster.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/client")
    return shared_cluster


def in_pod(cluster: LiveCluster, *command: str) -> str:
    return cluster.kubectl("exec", "client", "--", *command)


@pytest.mark.parametrize("name", ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local"])
def test_services_by_name(client: LiveCluster, name: str) -> None:
    assert "Welcome to nginx" in in_pod(client, "wget", "-q", "-O-", f"http://{name}")


def test_pods_by_address(client: LiveCluster) -> None:
    for pod in client.get("pods", "-l", "app=web")["items"]:
        assert "Welcome to nginx" in in_pod(client, "wget", "-q", "-O-", f"http://{pod['status']['podIP']}")


def test_reverse_names(client: LiveCluster) -> None:
    address = client.get("service", "web")["spec"]["clusterIP"]
    assert "web.default.svc.cluster.local" in in_pod(client, "nslookup", address)


def test_the_api_server_with_the_pods_own_credentials(client: LiveCluster) -> None:
    client.kubectl("create", "rolebinding", "view", "--clusterrole=view", "--serviceaccount=default:default")
    assert "web" in in_pod(client, "kubectl", "get", "deployments")
    denied = ["exec", "client", "--", "kubectl", "get", "secrets", "-n", "kube-system"]
    done = subprocess.run(["kubectl", *denied], env=client.environment, capture_output=True, text=True)
    assert 'User "system:serviceaccount:default:default" cannot list resource "secrets"' in done.stderr


def test_addresses_that_nobody_has_end_here(client: LiveCluster) -> None:
    """Neither a pod nor the node sends anything towards an unknown pod or service address."""
    for address in ("10.96.200.200", "10.244.200.200"):
        command = ["curl", "-s", "-m", "2", f"http://{address}"]
        assert subprocess.run(command, capture_output=True).returncode in (7, 28)


@pytest.fixture(params=["WebSocket", "SPDY"])
def protocol(request: pytest.FixtureRequest, client: LiveCluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both protocols that kubectls of different ages speak."""
    if request.param == "SPDY":
        for name in ("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS"):
            monkeypatch.setitem(client.environment, name, "false")
    return str(request.param)


def test_streams(client: LiveCluster, protocol: str) -> None:
    """Standard input, output and the exit code travel; so do they on a terminal."""
    assert client.kubectl("exec", "-i", "client", "--", "cat", input="a\nb\n") == "a\nb\n"
    typed = client.run(["script", "-qec", "kubectl exec -it client -- sh -c 'tty; stty size'", "/dev/null"])
    assert "/dev/pts/0" in typed
    done = subprocess.run(["kubectl", "exec", "client", "--", "sh", "-c", "exit 3"], env=client.environment)
    assert done.returncode == 3


def test_port_forward(client: LiveCluster, protocol: str) -> None:
    command = ["kubectl", "port-forward", "service/web", "18080:80"]
    with subprocess.Popen(command, env=client.environment, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        assert "Forwarding from 127.0.0.1:18080 -> 80" in forward.stdout.readline()
        for _ in range(3):
            assert "Welcome to nginx" in client.run(["curl", "-s", "http://127.0.0.1:18080"])
        forward.terminate()


def test_proxy_subresources(client: LiveCluster) -> None:
    assert "Welcome to nginx" in client.kubectl("get", "--raw", "/api/v1/namespaces/default/services/web:80/proxy/")


def test_logs(client: LiveCluster) -> None:
    client.kubectl("run", "talker", "--image=busybox", "--restart=Never", "--", "sh", "-c", "echo one; echo two >&2")
    client.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s", "pod/talker")
    assert sorted(client.kubectl("logs", "talker").splitlines()) == ["one", "two"]
    assert client.kubectl("logs", "-f", "talker", "--tail=1").count("\n") == 1
    assert client.kubectl("logs", "--timestamps", "talker").startswith("20")


def test_copy_into_and_out_of_a_pod(client: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cp")
    (folder / "there").write_text("hello\n")
    client.kubectl("cp", str(folder / "there"), "client:/tmp/there")
    client.kubectl("cp", "client:/tmp/there", str(folder / "back"))
    assert (folder / "back").read_text() == "hello\n"
