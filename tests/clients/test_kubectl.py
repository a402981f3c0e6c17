"""kubectl of this minor version and of the next: what it does beyond the labs, and the same with either."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.live import Failed, LiveCluster

pytestmark = pytest.mark.live

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {part: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: nginx:1.16.0
          ports: [{containerPort: 80}]
          readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
"""


@pytest.fixture(params=["kubectl", "kubectl-1.37"])
def binary(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Kubectl:
    def __init__(self, cluster: LiveCluster, binary: str, namespace: str) -> None:
        self.cluster, self.command = cluster, [binary, "--namespace", namespace]

    def __call__(self, *arguments: str, input: str | None = None) -> str:
        return self.cluster.run([*self.command, *arguments], input=input)

    def background(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments], env=self.cluster.environment, stdout=subprocess.PIPE, text=True
        )


@pytest.fixture
def kubectl(cluster: LiveCluster, binary: str, namespace: str) -> Kubectl:
    return Kubectl(cluster, binary, namespace)


def test_rollout(kubectl: Kubectl) -> None:
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["minor"] == "36"
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", input=WEB)
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    with pytest.raises(Failed, match=r"-\s+- image: nginx:1\.16\.0\n\+\s+- image: nginx:1\.17\.0"):
        kubectl("diff", "--server-side", "-f", "-", input=WEB.replace("1.16.0", "1.17.0"))
    kubectl("set", "image", "deployment/web", "web=nginx:1.17.0")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    with pytest.raises(Failed, match=r'conflict with "kubectl-set" using apps/v1'):
        kubectl("apply", "--server-side", "-f", "-", input=WEB)
    kubectl("rollout", "undo", "deployment/web")
    assert "image: nginx:1.16.0" in kubectl("get", "deployment/web", "-o", "yaml")
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert kubectl("rollout", "history", "deployment/web").split()[-6:] == ["2", "<none>", "3", "<none>", "4", "<none>"]
    kubectl("expose", "deployment/web", "--port=80")
    kubectl("autoscale", "deployment/web", "--max=3", "--cpu=50%")
    assert "web" in kubectl("get", "service,hpa", "-o", "name")
    assert "RollingUpdate" in kubectl("describe", "deployment/web")
    assert "Scaled up replica set" in kubectl("events", "--for=deployment/web")


def test_streams(kubectl: Kubectl, tmp_path: Path) -> None:
    out = kubectl("run", "once", "--image=busybox", "--rm", "-i", "--restart=Never", "-q", "--", "cat", input="through")
    assert out.startswith("through")
    kubectl("apply", "-f", "-", input=WEB)
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    given = tmp_path / "given"
    given.write_bytes(bytes(range(256)) * 4096)
    pod = kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
    kubectl("cp", str(given), f"{pod}:/tmp/there")
    kubectl("cp", f"{pod}:/tmp/there", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == given.read_bytes()
    with pytest.raises(Failed, match="exit 7\n"):
        kubectl("exec", "deployment/web", "--", "sh", "-c", "exit 7")
    assert kubectl("exec", "-i", "deployment/web", "--", "tr", "a-z", "A-Z", input="loud") == "LOUD"
    debug = ("debug", pod, "--image=busybox", "--profile=general", "-c", "dbg", "-q", "-i", "--target=web")
    # It waits for the client, who would miss what was said before it is there.
    assert "nginx: master process" in kubectl(*debug, "--", "sh", "-c", "read go; ps", input="go\n")
    forward = kubectl.background("port-forward", "deployment/web", ":80")
    try:
        assert forward.stdout is not None
        port = forward.stdout.readline().split(":")[1].split()[0]
        page = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=30)
        assert "Welcome to nginx" in page.stdout
        assert "start worker process" in kubectl("logs", "-l", "app=web", "--prefix")
    finally:
        forward.terminate()
        forward.communicate(timeout=30)


def hostile_tar() -> bytes:
    """What a container's `tar` may say to lead a copy out of its target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:

        def add(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, 0o777
            data = b"" if link else b"from the container"
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))

        add("tmp/x/good")
        for name in ("../canary/file", "tmp/x/../../../canary/file", "tmp/x/../../canary/file", "/canary/file"):
            add(name)
        add("tmp/x/out", tarfile.SYMTYPE, "../../canary")
        add("tmp/x/out/file")
        add("tmp/x/up", tarfile.SYMTYPE, "..")
        add("tmp/x/up/canary/file")
        add("tmp/x/hard", tarfile.LNKTYPE, "../canary/file")
        add("tmp/x/hard")
    return buffer.getvalue()


def test_a_copy_out_of_a_container_that_lies(kubectl: Kubectl, tmp_path: Path) -> None:
    """CVE-2019-1002101, -11246, -11249, -11251: kubectl's to refuse; ours to pass on as output, and as nothing else."""
    kubectl("run", "liar", "--image=busybox", "--restart=Never", "--", "sleep", "1000")
    kubectl("wait", "--for=condition=Ready", "pod/liar", "--timeout=60s")
    archive = base64.b64encode(hostile_tar()).decode()
    kubectl("exec", "-i", "liar", "--", "sh", "-c", "base64 -d > /evil.tar", input=archive)
    # Frames of either protocol and an exit status come before the archive, on the other stream.
    script = "#!/bin/sh\nprintf '\\202\\002\\003{\\200\\003\\000\\007' >&2\nexec cat /evil.tar\n"
    kubectl("exec", "-i", "liar", "--", "sh", "-c", "t=$(which tar); rm $t; cat > $t; chmod +x $t", input=script)
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary/file").write_text("untouched")
    (tmp_path / "target").mkdir()
    with contextlib.suppress(Failed):
        kubectl("cp", "liar:/tmp/x", str(tmp_path / "target"))
    assert (tmp_path / "canary/file").read_text() == "untouched"
    assert [path.name for path in (tmp_path / "canary").iterdir()] == ["file"]
    assert not Path("/canary").exists()
    assert (tmp_path / "target/good").read_text() == "from the container"


def test_objects(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("configMapGenerator: [{name: c, literals: [a=1]}]\nnamePrefix: k-\n")
    made = kubectl("apply", "-k", str(tmp_path), "-o", "name").strip()
    assert made.startswith("configmap/k-c-")
    watching = kubectl.background("get", made, "--watch", "-o", "jsonpath={.data.a}{'\\n'}")
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "1\n"
        kubectl("patch", made, "--type=json", "-p", '[{"op": "replace", "path": "/data/a", "value": "2"}]')
        assert watching.stdout.readline() == "2\n"
    finally:
        watching.terminate()
        watching.communicate(timeout=30)
    kubectl("label", made, "seen=yes")
    assert "seen=yes" in kubectl("get", made, "--show-labels")
    with pytest.raises(Failed, match=r'unknown field "spec\.nodename"'):
        kubectl("create", "-f", "-", input="{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodename: x}}")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kubectl.command[-1]}:robot")
    robot = f"--as=system:serviceaccount:{kubectl.command[-1]}:robot"
    assert kubectl("auth", "can-i", "list", "configmaps", robot) == "yes\n"
    with pytest.raises(Failed, match=r"exit 1\nno"):
        kubectl("auth", "can-i", "delete", "configmaps", robot)
    assert ":robot\n" in kubectl("auth", "whoami", robot)
    assert kubectl("create", "token", "robot").count(".") == 2
    assert "rollingUpdate" in kubectl("explain", "deployment.spec.strategy")
    sets = [
        "env",
        "KUBECTL_APPLYSET=true",
        *kubectl.command,
        "apply",
        "--prune",
        "--applyset=configmaps/set",
        "-f",
        "-",
    ]
    first = "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}"
    kubectl.cluster.run(sets, input=f"{first}\n---\n{first.replace('one', 'two')}")
    assert "configmap/two pruned" in kubectl.cluster.run(sets, input=first)
