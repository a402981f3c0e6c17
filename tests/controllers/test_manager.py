"""The controller manager as a process: flags, leader election, a good end."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.types import apps_v1, coordination_v1, core_v1, meta_v1
from pybernetes.controllers.manager import CONTROLLERS
from pybernetes.controllers.options import Options, parse

KUBECONFIG = """
current-context: c
clusters: [{{name: c, cluster: {{server: "{url}"}}}}]
contexts: [{{name: c, context: {{cluster: c}}}}]
"""


def test_flags_have_upstreams_names_and_forms() -> None:
    options = parse(
        [
            "--kubeconfig=/k", "--leader-elect", "--controllers=*,-job-controller", "--node-monitor-grace-period=1m30s",
            "--allocate-node-cidrs=true", "--cluster-cidr", "10.244.0.0/16", "--terminated-pod-gc-threshold=5",
        ]
    )  # fmt: skip
    assert (options.kubeconfig, options.leader_elect, options.allocate_node_cidrs) == ("/k", True, True)
    assert (options.node_monitor_grace_period, options.terminated_pod_gc_threshold) == (90.0, 5)
    assert options.is_enabled("deployment-controller")
    assert not options.is_enabled("job-controller")


@pytest.mark.parametrize(
    ("controllers", "name", "by_default", "expected"),
    [
        (("*",), "a", True, True),
        (("*",), "a", False, False),
        (("a",), "a", False, True),
        (("a",), "b", True, False),
        (("*", "-a"), "a", True, False),
    ],
)
def test_which_controllers_run(controllers: tuple[str, ...], name: str, by_default: bool, expected: bool) -> None:
    assert Options(controllers=controllers).is_enabled(name, by_default) is expected


@pytest.mark.parametrize("arguments", [["--unknown"], ["--node-monitor-grace-period=soon"], ["--leader-elect=maybe"]])
def test_wrong_flags_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        parse(arguments)
    assert ending.value.code == 2
    assert arguments[0].partition("=")[0] in capsys.readouterr().err


def test_no_name_is_given_twice() -> None:
    names = [entry.name for entry in CONTROLLERS]
    assert len(names) == len(set(names))


def test_an_unusable_kubeconfig_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pybernetes.controllers", f"--kubeconfig={tmp_path / 'missing'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"kubeconfig {tmp_path / 'missing'}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_process_leads_works_and_gives_the_lease_up(
    world_of: Callable[..., Any], apiserver: str, tmp_path: Path
) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(url=apiserver))
    async with world_of("-") as world:
        lease = f"manager-{world.namespace}"
        command = [
            sys.executable, "-m", "pybernetes.controllers", f"--kubeconfig={tmp_path / 'kubeconfig'}", "--leader-elect",
            f"--leader-elect-resource-name={lease}", f"--leader-elect-resource-namespace={world.namespace}",
            "--controllers=deployment-controller,replicaset-controller",
        ]  # fmt: skip
        process = subprocess.Popen(command)
        try:
            labels = {"app": "a"}
            template = core_v1.PodTemplateSpec(
                metadata=meta_v1.ObjectMeta(labels=labels),
                spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")]),
            )
            selector = meta_v1.LabelSelector(match_labels=labels)
            spec = apps_v1.DeploymentSpec(replicas=2, selector=selector, template=template)
            meta = meta_v1.ObjectMeta(name="d", namespace=world.namespace)
            await world.client.create(apps_v1.Deployment(metadata=meta, spec=spec))
            await world.eventually(lambda: len(world.running_pods()) == 2, seconds=30)
            held = await world.client.get(coordination_v1.Lease, lease, world.namespace)
            assert held.spec.holder_identity
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        left = await world.client.get(coordination_v1.Lease, lease, world.namespace)
        assert not left.spec.holder_identity
