"""A simulated cluster of many nodes: until all are Ready, until all pods of ten deployments run, and what that costs.

    python -m bench.scale [--nodes 1000] [--pods 10000]

CPU is counted per process, since wall time says little on a machine that has other things to do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import time
from pathlib import Path

import uvloop

from bench.cluster import P8S
from pybernetes.api.types import apps_v1 as apps
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import connect
from pybernetes.cluster import control
from pybernetes.cluster.profile import Profile, load

NAME = "bench-scale"
NAMESPACE = "bench"
DEPLOYMENTS = 10
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(profile: Profile) -> dict[str, float]:
    """User and system time so far, by component."""
    found = {}
    for component in control.request(profile, "status")["components"]:
        fields = Path(f"/proc/{component['pid']}/stat").read_text().rpartition(")")[2].split()
        found[component["name"]] = (int(fields[11]) + int(fields[12])) / TICKS
    return found


def memory(profile: Profile) -> dict[str, int]:
    """PSS in MiB, by component."""
    found = {}
    for component in control.request(profile, "status")["components"]:
        text = Path(f"/proc/{component['pid']}/smaps_rollup").read_text()
        found[component["name"]] = int(text.split("Pss:")[1].split()[0]) // 1024
    return found


def p8s(*arguments: str) -> None:
    subprocess.run([*P8S, *arguments, "--profile", NAME], check=True, stdout=subprocess.DEVNULL)


def report(step: str, seconds: float, before: dict[str, float], after: dict[str, float]) -> None:
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    parts = ", ".join(f"{name} {value:.1f}" for name, value in spent.items())
    print(f"{step}: {seconds:.1f} s; CPU {sum(spent.values()):.1f} s ({parts})", flush=True)


async def run_pods(profile: Profile, pods: int) -> None:
    config = Config.from_kubeconfig(profile.kubeconfig("admin"))
    async with connect(config, user_agent="bench") as client:
        await client.create(core.Namespace(metadata=meta.ObjectMeta(name=NAMESPACE)))
        informers = Informers(client)
        deployments = informers.of(apps.Deployment, NAMESPACE)
        changed = asyncio.Event()
        deployments.subscribe(lambda old, new: changed.set())
        async with informers.running():
            await informers.wait_synced()
            before, began = cpu_seconds(profile), time.monotonic()
            for index in range(DEPLOYMENTS):
                await client.create(deployment(f"web-{index}", pods // DEPLOYMENTS))
            while sum(each.status.ready_replicas or 0 for each in deployments.list()) < pods:
                changed.clear()
                await changed.wait()
            report(f"{pods:,} pods Ready", time.monotonic() - began, before, cpu_seconds(profile))
            print("memory, MiB PSS:", memory(profile))
            before, began = cpu_seconds(profile), time.monotonic()
            await asyncio.sleep(20)
            report("20 s of nothing", time.monotonic() - began, before, cpu_seconds(profile))
            before, began = cpu_seconds(profile), time.monotonic()
            for index in range(DEPLOYMENTS):
                patch = {"spec": {"replicas": 0}}
                await client.patch(apps.Deployment, f"web-{index}", NAMESPACE, patch, PatchType.MERGE)
            while sum(each.status.replicas or 0 for each in deployments.list()):
                changed.clear()
                await changed.wait()
            report("scaled to 0", time.monotonic() - began, before, cpu_seconds(profile))


def deployment(name: str, replicas: int) -> apps.Deployment:
    labels = {"app": name}
    container = core.Container(
        name="web", image="nginx", resources=core.ResourceRequirements(requests={"cpu": "100m", "memory": "64Mi"})
    )
    template = core.PodTemplateSpec(metadata=meta.ObjectMeta(labels=labels), spec=core.PodSpec(containers=[container]))
    return apps.Deployment(
        metadata=meta.ObjectMeta(name=name, namespace=NAMESPACE),
        spec=apps.DeploymentSpec(
            replicas=replicas, selector=meta.LabelSelector(match_labels=labels), template=template
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--keep", action="store_true", help="leave the cluster there")
    given = parser.parse_args()
    began = time.monotonic()
    p8s("start", "--simulated", "--nodes", str(given.nodes), "--wait", "300")
    profile = load(NAME)
    report(f"start, {given.nodes:,} nodes Ready", time.monotonic() - began, {}, cpu_seconds(profile))
    try:
        uvloop.run(run_pods(profile, given.pods))
    finally:
        if not given.keep:
            p8s("delete")


if __name__ == "__main__":
    main()
