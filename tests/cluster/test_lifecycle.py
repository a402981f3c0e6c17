"""Start, stop, restart, delete: what survives what."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import traces
from tests.live import P8S, LiveCluster, live_cluster
from tests.processes import lives

from pybernetes.cli.main import main
from pybernetes.cluster import control, pidfile
from pybernetes.cluster.ending import halt
from pybernetes.cluster.lifecycle import stop
from pybernetes.runtime.cgroups.group import Cgroup

pytestmark = pytest.mark.live

COMPONENTS = ("apiserver", "runtime", "agent", "manager")
ON_DEMAND = ("registry", "ingress", "docker")
COUNTER = """
apiVersion: v1
kind: Pod
metadata: {name: counter}
spec:
  terminationGracePeriodSeconds: 2
  containers:
    - name: count
      image: busybox
      command: [sh, -c, "trap 'exit 0' TERM; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.02; done"]
      volumeMounts: [{name: scratch, mountPath: /scratch}]
  volumes: [{name: scratch, emptyDir: {}}]
"""


def wait_until(reached: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
    return value


def identity(cluster: LiveCluster) -> dict[str, tuple[str, int]]:
    """Each pod's container and restart count."""
    return {
        pod["metadata"]["name"]: (status["containerID"], status["restartCount"])
        for pod in cluster.get("pods")["items"]
        for status in pod["status"]["containerStatuses"]
    }


def ready(cluster: LiveCluster, *pods: str) -> None:
    cluster.kubectl("wait", "--for=condition=Ready", "--timeout=30s", *(f"pod/{pod}" for pod in pods))


def counted(cluster: LiveCluster) -> list[int]:
    return [int(line.split()[1]) for line in cluster.kubectl("logs", "counter").splitlines()]


def test_components_leave_the_session_that_started_them(cluster: LiveCluster) -> None:
    """What tracks logins by cgroups (systemd) finds none of them in its user's, and a stop leaves no cgroup of theirs."""
    own = f"{cluster.profile.first_node.cgroup}/components"
    for name in ("supervisor", "apiserver", "agent", "manager"):
        pid = pidfile.read(cluster.profile.run / f"{name}.pid")
        places = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
        tracked = [path for _, controllers, path in places if controllers in ("", "name=systemd")]
        assert tracked
        assert set(tracked) == {own}
    cluster.p8s("stop")
    assert list(Path("/sys/fs/cgroup").glob(f"**/{own.strip('/')}")) == []


def test_restart_keeps_containers(cluster: LiveCluster) -> None:
    cluster.kubectl("apply", "-f", "-", input=COUNTER)
    ready(cluster, "counter")
    before = identity(cluster)
    cluster.p8s("restart")
    lines = len(counted(cluster))
    wait_until(lambda: len(counted(cluster)) > lines)
    assert identity(cluster) == before


def test_stop_ends_gracefully_and_start_brings_all_back(cluster: LiveCluster) -> None:
    cluster.kubectl("apply", "-f", "-", input=COUNTER)
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    ready(cluster, "counter")
    cluster.kubectl("exec", "counter", "--", "sh", "-c", "echo here > /scratch/file")
    uid = cluster.get("pod", "counter")["metadata"]["uid"]
    cluster.p8s("stop")
    assert not [line for line in traces.processes(cluster.name) if "line $i" in line]
    cluster.p8s("start")
    ready(cluster, "counter")
    pod = cluster.get("pod", "counter")
    assert pod["metadata"]["uid"] == uid
    status = pod["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 0
    assert cluster.kubectl("exec", "counter", "--", "cat", "/scratch/file") == "here\n"
    assert cluster.get("configmap", "kept")["data"] == {"a": "b"}


STUBBORN = """
apiVersion: v1
kind: Pod
metadata: {name: stubborn}
spec:
  terminationGracePeriodSeconds: 600
  containers: [{name: c, image: busybox, command: [sh, -c, "trap '' TERM; while :; do sleep 0.1; done"]}]
"""


@pytest.mark.parametrize("how", ["grace", "ctrl-c"])
def test_stop_leaves_no_pod_that_will_not_end(how: str, cluster: LiveCluster) -> None:
    """Neither when the time for it is over nor when who has asked loses patience; and all comes back."""
    cluster.kubectl("apply", "-f", "-", input=STUBBORN)
    ready(cluster, "stubborn")
    if how == "grace":
        cluster.p8s("stop", "--grace", "0.5")
    else:
        command = [P8S, "stop", "--profile", cluster.name, "--grace", "600"]
        stopping = subprocess.Popen(command, env=cluster.environment)
        wait_until(lambda: control.state(cluster.profile) == control.STOPPING)
        time.sleep(0.2)
        stopping.send_signal(signal.SIGINT)
        assert stopping.wait(30) == 130
    assert control.state(cluster.profile) == "Stopped"
    assert not [line for line in traces.processes(cluster.name) if "trap ''" in line]
    cluster.p8s("start")
    ready(cluster, "stubborn")
    status = cluster.get("pod", "stubborn")["status"]["containerStatuses"][0]
    assert (status["restartCount"], status["lastState"]["terminated"]["exitCode"]) == (1, 137)


def test_start_waits_for_a_stop_that_is_under_way(cluster: LiveCluster) -> None:
    cluster.kubectl("apply", "-f", "-", input=STUBBORN)
    ready(cluster, "stubborn")
    command = [P8S, "stop", "--profile", cluster.name, "--grace", "2"]
    with subprocess.Popen(command, env=cluster.environment):
        wait_until(lambda: control.state(cluster.profile) == control.STOPPING)
        said = p8s("status", "--profile", cluster.name)
        assert (said.returncode, said.stdout.partition(";")[0]) == (3, f"cluster {cluster.name!r} is being stopped")
        cluster.p8s("start")
    ready(cluster, "stubborn")
    assert control.state(cluster.profile) == "Running"


def test_power_loss_brings_all_back(cluster: LiveCluster) -> None:
    """Every process dies at once, mounts and links are gone."""
    cluster.kubectl("apply", "-f", "-", input=COUNTER)
    ready(cluster, "counter")
    uid = cluster.get("pod", "counter")["metadata"]["uid"]
    lose_power(cluster)
    cluster.p8s("start")
    ready(cluster, "counter")
    pod = cluster.get("pod", "counter")
    assert pod["metadata"]["uid"] == uid
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1


def lose_power(cluster: LiveCluster) -> None:
    """What a reboot does, but for the boot id: no process, mount or link is left."""
    profile = cluster.profile
    for component in ("supervisor", *COMPONENTS):
        os.kill(pidfile.read(profile.run / f"{component}.pid"), signal.SIGKILL)
    for pid in members(f"pybernetes/{profile.name}"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not pidfile.read(profile.run / "supervisor.pid"))
    for point in sorted(mounts(profile.state) + mounts(profile.run), key=len, reverse=True):
        subprocess.run(["umount", "-l", point], check=True)
    for line in traces.lines("ip", "-o", "link"):
        name = line.split(":")[1].split("@")[0].strip()
        if name != "lo":
            subprocess.run(["ip", "link", "delete", name], capture_output=True)
    shutil.rmtree(profile.run)


def members(cgroup: str) -> set[int]:
    """Every process in the cgroup or below it, monitors and containers alike."""
    root = Path("/sys/fs/cgroup")  # of cgroup v2 itself, or of the hierarchies of v1
    files = [path for top in (root, *root.glob("*")) for path in (top / cgroup).rglob("cgroup.procs")]
    return {int(pid) for path in files for pid in path.read_text().split()}


def mounts(place: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(str(place))]


def test_delete_leaves_nothing(mirror: str, tmp_path: Path) -> None:
    before = traces.take("traces")
    with live_cluster("traces", mirror, tmp_path, "--nodes", "3") as cluster:
        cluster.kubectl("apply", "-f", "-", input=COUNTER)
        cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
        cluster.kubectl("expose", "deployment", "web", "--type=NodePort", "--port=80")
        cluster.kubectl("rollout", "status", "deployment", "web", "--timeout=30s")
        ready(cluster, "counter")
        assert traces.take("traces").beyond(before)
        cluster.p8s("node", "stop", "m03")
        agent = pidfile.read(cluster.profile.run / "agent-m02.pid")
        cluster.p8s("delete")
        assert not lives(agent)
        assert traces.take("traces").beyond(before) == {}
        assert list(cluster.temporary.iterdir()) == []


def test_delete_after_everything_was_killed(cluster: LiveCluster) -> None:
    before_state = cluster.profile.state
    cluster.kubectl("apply", "-f", "-", input=COUNTER)
    ready(cluster, "counter")
    for component in ("supervisor", *COMPONENTS):
        os.kill(pidfile.read(cluster.profile.run / f"{component}.pid"), signal.SIGKILL)
    cluster.p8s("delete")
    assert not before_state.exists()
    assert not [line for line in traces.processes(cluster.name) if "line $i" in line]


@pytest.mark.parametrize("damage", ["{", "", '{"index": "x"}', None])
def test_delete_of_a_cluster_whose_settings_are_damaged(damage: str | None, mirror: str, tmp_path: Path) -> None:
    before = traces.take("damaged")
    with live_cluster("damaged", mirror, tmp_path, "--nodes", "2") as cluster:
        cluster.kubectl("apply", "-f", "-", input=COUNTER)
        ready(cluster, "counter")
        settings = cluster.profile.state / "profile.json"
        settings.unlink() if damage is None else settings.write_text(damage)
        cluster.p8s("delete")
        assert traces.take("damaged").beyond(before) == {}


def test_start_after_the_supervisor_was_killed(cluster: LiveCluster) -> None:
    cluster.kubectl("apply", "-f", "-", input=COUNTER)
    ready(cluster, "counter")
    before = identity(cluster)
    os.kill(pidfile.read(cluster.profile.run / "supervisor.pid"), signal.SIGKILL)
    assert cluster.kubectl("get", "pods")
    cluster.start()
    assert identity(cluster) == before


def test_a_supervisor_that_was_frozen_is_told_of_and_does_not_keep_the_cluster(
    cluster: LiveCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ANSWER_SECONDS", 1.0)
    supervisor = pidfile.read(cluster.profile.run / "supervisor.pid")
    os.kill(supervisor, signal.SIGSTOP)
    done = p8s("status", "--profile", cluster.name)
    told = f"process {supervisor}) does not answer: it was stopped by a signal; kill -CONT {supervisor}\n"
    assert (done.returncode, told in done.stdout) == (1, True)
    components = [pidfile.read(cluster.profile.run / f"{name}.pid") for name in COMPONENTS]
    assert all(components)
    assert halt(cluster.profile)
    assert not any(lives(pid) for pid in (supervisor, *components))
    cluster.start()
    os.kill(pidfile.read(cluster.profile.run / "supervisor.pid"), signal.SIGSTOP)
    assert stop(cluster.profile)
    assert not any(pidfile.read(path) for path in cluster.profile.run.glob("*.pid"))
    cluster.start()


def p8s(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([P8S, *arguments], capture_output=True, text=True, timeout=60, **options)


def test_a_runtime_that_was_frozen_is_told_of_before_a_node_is_begun(cluster: LiveCluster) -> None:
    """Within seconds: it took a minute and a half."""
    runtime = pidfile.read(cluster.profile.run / "runtime.pid")
    os.kill(runtime, signal.SIGSTOP)
    try:
        done = p8s("node", "add", "--profile", cluster.name)
    finally:
        os.kill(runtime, signal.SIGCONT)
    told = f"the runtime of cluster {cluster.name!r} (process {runtime}) does not answer: it was stopped by a signal"
    assert (done.returncode, told in done.stderr, f"kill -CONT {runtime}" in done.stderr) == (1, True, True)
    assert len(cluster.profile.reread().nodes) == 1


def test_a_stranger_in_a_pods_cgroup_is_told_of_and_all_else_deleted(cluster: LiveCluster) -> None:
    """Who is in one hierarchy only is no process of a pod, and is not ended."""
    cluster.kubectl("run", "counter", "--image=busybox", "--", "sleep", "1000")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/counter", "--timeout=60s")
    top = Cgroup(cluster.profile.first_node.cgroup)
    directory = top.directory("cpu")
    assert directory is not None
    if directory == top.unified:
        pytest.skip("cgroup v2: whoever is in a pod's cgroup is the pod's, and ends with it")
    pod = next(path for path in Path(directory).glob("kubepods/**/pod*/*") if path.is_dir())
    with subprocess.Popen(["sleep", "54321"]) as stranger:
        (pod / "cgroup.procs").write_text(str(stranger.pid))
        try:
            done = p8s("delete", "--profile", cluster.name)
            told = f"cgroup {pod} cannot be removed: process {stranger.pid} (sleep 54321) is in it"
            assert (done.returncode, told in done.stderr) == (1, True)
            assert stranger.poll() is None
        finally:
            stranger.kill()
    left = [each.at(top.path) for each in top.hierarchies if Path(each.at(top.path)).exists()]
    assert left == [directory]
    assert not list(cluster.profile.state.glob("runtime*"))
    assert p8s("delete", "--profile", cluster.name).returncode == 0
    assert not Path(directory).exists()


def test_taken_port_is_named_and_nothing_made(mirror: str) -> None:
    with socket.create_server(("127.0.0.1", 6443)):
        done = p8s("start", "--profile", "taken", "--api-port", "6443")
    assert done.returncode == 1
    assert "port 6443 on 127.0.0.1 is taken" in done.stderr
    assert "try: " in done.stderr
    assert not Path("/var/lib/pybernetes/taken").exists()


def test_without_root_the_cause_and_the_step_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["start", "--profile", "rootless"]) == 1
    error = capsys.readouterr().err
    assert "pods need root" in error
    assert "try: sudo" in error
    assert not Path("/var/lib/pybernetes/rootless").exists()


def test_two_profiles_run_side_by_side(cluster: LiveCluster, mirror: str, tmp_path: Path) -> None:
    with live_cluster("other", mirror, tmp_path) as other:
        for one in (cluster, other):
            one.kubectl("run", "web", "--image=nginx")
        for one in (cluster, other):
            ready(one, "web")
        addresses = {one.get("pod", "web")["status"]["podIP"] for one in (cluster, other)}
        assert len(addresses) == 2


def test_status_as_json(cluster: LiveCluster) -> None:
    found = json.loads(cluster.p8s("status", "-o", "json"))
    assert found["running"] is True
    assert found["nodes"] == {"test": True}
    assert [component["name"] for component in found["components"]] == [*COMPONENTS, *ON_DEMAND]


@pytest.mark.parametrize("follow", [[], ["-n", "1"]])
def test_logs_are_shown(cluster: LiveCluster, follow: list[str]) -> None:
    assert "serving" in cluster.p8s("logs", "apiserver", *follow)


FULL = """
import sys
from pybernetes.cli.main import main
from pybernetes.cluster import preflight
from pybernetes.cluster.errors import Problem
preflight.check_room = lambda *_: Problem("only 0 MiB are free", "make room")
sys.exit(main(sys.argv[1:]))
"""
"""A `p8s` that finds the disk full."""


def test_a_full_disk_is_told_of_and_ends_no_cluster_that_runs(shared_cluster: LiveCluster) -> None:
    """A restart that would not bring it back up is refused before anything is ended."""

    def p8s(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", FULL, *arguments, "--profile", shared_cluster.name]
        return subprocess.run(command, env=shared_cluster.environment, capture_output=True, text=True, timeout=60)

    restart = p8s("restart")
    assert (restart.returncode, restart.stderr) == (1, "error: only 0 MiB are free\n  try: make room\n")
    assert control.is_running(shared_cluster.profile)
    status = p8s("status", "-o", "json")
    assert status.returncode == 1
    said = json.loads(status.stdout)
    assert (said["api"], said["problems"]) == ("ok", [{"cause": "only 0 MiB are free", "nextStep": "make room"}])
    findings = json.loads(p8s("why", "-o", "json").stdout)
    [full] = [each for each in findings if each["object"] == f"cluster/{shared_cluster.name}"]
    assert (full["state"], full["causes"][0]["cause"]) == ("broken", "only 0 MiB are free")
