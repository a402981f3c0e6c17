"""What dashboards read of containers: names, labels and figures."""

from pybernetes.cri import types as t
from pybernetes.kubelet import names
from pybernetes.kubelet.server.cadvisor import Known, Machine, Place, cadvisor_metrics

MACHINE = Machine(2, 1024, {"boot_id": "b", "machine_id": "m", "system_uuid": "s"})


def number(value: int) -> t.UInt64Value:
    return t.UInt64Value(value=value)


def a_pod() -> t.PodSandboxStats:
    container = t.ContainerStats(
        attributes=t.ContainerAttributes(id="c1", metadata=t.ContainerMetadata(name="main")),
        cpu=t.CpuUsage(timestamp=5_000_000_000, usage_core_nano_seconds=number(1_500_000_000)),
        memory=t.MemoryUsage(timestamp=5_000_000_000, working_set_bytes=number(7), page_faults=number(3)),
        writable_layer=t.FilesystemUsage(timestamp=5_000_000_000, used_bytes=number(9)),
    )
    interface = t.NetworkInterfaceUsage(name="eth0", rx_bytes=number(11), tx_bytes=number(12))
    labels = {names.POD_NAMESPACE: "default", names.POD_NAME: "p", names.POD_UID: "u"}
    return t.PodSandboxStats(
        attributes=t.PodSandboxAttributes(id="s1", labels=labels),
        linux=t.LinuxPodSandboxStats(
            cpu=t.CpuUsage(timestamp=5_000_000_000, usage_core_nano_seconds=number(2_000_000_000)),
            network=t.NetworkUsage(timestamp=5_000_000_000, default_interface=interface, interfaces=[interface]),
            process=t.ProcessUsage(timestamp=5_000_000_000, process_count=number(4)),
            containers=[container],
        ),
    )


def test_containers_pods_and_networks() -> None:
    resources = t.LinuxContainerResources(
        cpu_period=100_000, cpu_quota=50_000, cpu_shares=512, memory_limit_in_bytes=64
    )
    known = Known('img"1"', 3_500_000_000, resources)
    page = cadvisor_metrics([a_pod()], {"u": Place("/kubepods/podu", {"c1": known})}, MACHINE, 6.5)
    lines = page.splitlines()
    own = r'container="main",{}id="/kubepods/podu/c1",image="img\"1\"",{}name="c1",namespace="default",pod="p"'
    plain, total, disk = own.format("", ""), own.format('cpu="total",', ""), own.format('device="",', "")
    assert f"container_cpu_usage_seconds_total{{{total}}} 1.5 5000" in lines
    assert f"container_memory_working_set_bytes{{{plain}}} 7 5000" in lines
    assert f"container_fs_usage_bytes{{{disk}}} 9 5000" in lines
    assert f"container_start_time_seconds{{{plain}}} 3.5" in lines
    assert f"container_spec_memory_limit_bytes{{{plain}}} 64" in lines
    assert f"container_spec_cpu_quota{{{plain}}} 50000" in lines
    of_pod = 'id="/kubepods/podu",image="",name="",namespace="default",pod="p"'
    assert f'container_cpu_usage_seconds_total{{container="",cpu="total",{of_pod}}} 2.0 5000' in lines
    assert f'container_processes{{container="",{of_pod}}} 4 5000' in lines
    link = 'container="",id="/kubepods/podu/s1",image="",interface="eth0",name="s1",namespace="default",pod="p"'
    assert f"container_network_receive_bytes_total{{{link}}} 11 5000" in lines
    assert f"container_network_transmit_bytes_total{{{link}}} 12 5000" in lines
    assert "container_memory_rss" not in page  # what nobody counted is not said to be nothing


def test_each_family_is_told_once() -> None:
    page = cadvisor_metrics([a_pod(), a_pod()], {}, MACHINE, 6.5)
    types = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")]
    assert types == sorted(set(types))
    assert "container_scrape_error 0" in page


def test_a_runtime_that_does_not_answer_is_told() -> None:
    page = cadvisor_metrics(None, {}, MACHINE, 6.5)
    assert "container_scrape_error 1" in page
    assert 'machine_memory_bytes{boot_id="b",machine_id="m",system_uuid="s"} 1024' in page
