"""What /metrics tells of a kubelet's pods."""

from types import SimpleNamespace

import pytest
from tests.kubelet.world import InlineWorker, World, a_container, a_pod

from pybernetes.api.types import core_v1 as v1
from pybernetes.client.request_metrics import RequestTally
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.counted import Counted, container_type
from pybernetes.kubelet.measured import measured, operation_name
from pybernetes.kubelet.metrics import node_metrics
from pybernetes.kubelet.volumes.usage import Usages
from pybernetes.telemetry.metrics import Registry


def page(world: World) -> dict[str, float]:
    """Series and numbers."""
    usages = Usages(world.kubelet.workers, InlineWorker(), None)
    client = SimpleNamespace(transport=SimpleNamespace(tally=RequestTally()))
    text = node_metrics(world.kubelet, world.counted, client, "n1", usages).render()  # type: ignore[arg-type]
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {series: float(number) for series, _, number in lines}


async def test_a_pod_that_runs_and_ends(world: World) -> None:
    init = a_container("i")
    volume = v1.Volume(name="v", empty_dir=v1.EmptyDirVolumeSource())
    await world.apply(a_pod(init_containers=[init], volumes=[volume], restart_policy="Never"))
    world.runtime.exit("i", 0)
    await world.advance(1)
    told = page(world)
    assert told['kubelet_node_name{node="n1"}'] == 1
    assert told["kubelet_started_pods_total"] == 1
    assert told['kubelet_started_containers_total{container_type="init_container"}'] == 1
    assert told['kubelet_started_containers_total{container_type="container"}'] == 1
    assert told["kubelet_containers_per_pod_count_count"] == 1
    assert told["kubelet_pod_start_duration_seconds_count"] == 1
    assert told['kubelet_running_containers{container_state="running"}'] == 1
    assert told['kubelet_running_containers{container_state="exited"}'] == 1
    assert (told['kubelet_desired_pods{static=""}'], told['kubelet_desired_pods{static="true"}']) == (1, 0)
    assert told['volume_manager_total_volumes{plugin_name="kubernetes.io/empty-dir",state="actual_state_of_world"}'] == 1  # fmt: skip
    done = '{container_type="init_container",exit_code="0",reason="Completed"}'
    assert told[f"kubelet_terminated_containers_total{done}"] == 1
    world.runtime.exit("c", 7)
    await world.advance(5)
    failed = '{container_type="container",exit_code="7",reason="Error"}'
    assert page(world)[f"kubelet_terminated_containers_total{failed}"] == 1


def test_kinds_of_containers() -> None:
    pod = a_pod(init_containers=[a_container("i")], ephemeral_containers=[v1.EphemeralContainer(name="e")])
    assert [container_type(pod, name) for name in "cie"] == ["container", "init_container", "ephemeral_container"]


@pytest.mark.parametrize(
    ("reason", "label"),
    [("OutOfcpu", "OutOfcpu"), ("OutOfexample.com/gpu", "OutOfExtendedResources"), ("NodeAffinity", "Other")],
)
def test_rejections_by_reason(reason: str, label: str) -> None:
    counted = Counted()
    counted.pod_rejected(reason)
    assert list(counted.rejected.lines()) == [f'kubelet_admission_rejections_total{{reason="{label}"}} 1']


@pytest.mark.parametrize(("size", "label"), [(0, "N/A"), (5, "0-10MB"), (11 << 20, "10MB-100MB"), (1 << 40, "GT100GB")])
def test_pulls_by_size(size: int, label: str) -> None:
    counted = Counted()
    counted.pulled(2.0, size)
    assert f'kubelet_image_pull_duration_seconds_count{{image_size_in_bytes="{label}"}} 1' in counted.pull.lines()


class _Service:
    async def run_pod_sandbox(self) -> str:
        return "made"

    async def update_container_resources(self) -> None:
        raise CRIError("no")


async def test_what_the_runtime_is_asked() -> None:
    counted, registry = Counted(), Registry()
    service = measured(_Service(), counted)
    assert await service.run_pod_sandbox() == "made"
    with pytest.raises(CRIError):
        await service.update_container_resources()
    counted.add_to(registry)
    told = registry.render()
    assert 'kubelet_runtime_operations_total{operation_type="run_podsandbox"} 1' in told
    assert 'kubelet_runtime_operations_errors_total{operation_type="update_container"} 1' in told
    assert 'kubelet_runtime_operations_duration_seconds_count{operation_type="update_container"} 1' in told
    assert operation_name("pod_sandbox_status") == "podsandbox_status"
