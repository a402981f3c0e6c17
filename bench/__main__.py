"""python -m bench [PART ...]: measure a cluster of its own and print the table."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

import uvloop
from tests.live import registry_of_images

from bench import cluster, commands, ingress, memory, pods, requests, watchers
from bench.figures import Figure, table
from bench.objects import NAMESPACE
from pybernetes.api.types import authentication_v1 as authentication
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import rbac_v1 as rbac
from pybernetes.client.config import Config
from pybernetes.client.rest import Client, connect

PARTS = ("starts", "idle", "memory", "requests", "watch", "pods", "ingress", "commands")


async def admin_token(client: Client) -> str:
    """A token for wrk, which has no client certificates."""
    account = core.ServiceAccount(metadata=meta.ObjectMeta(name="bench", namespace=NAMESPACE))
    await client.create(account)
    await client.create(
        rbac.ClusterRoleBinding(
            metadata=meta.ObjectMeta(name="bench"),
            role_ref=rbac.RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="cluster-admin"),
            subjects=[rbac.Subject(kind="ServiceAccount", name="bench", namespace=NAMESPACE)],
        )
    )
    request = authentication.TokenRequest(spec=authentication.TokenRequestSpec(audiences=[]))
    made = await client.post(
        core.ServiceAccount, "bench", NAMESPACE, "token", request, returns=authentication.TokenRequest
    )
    return made.status.token or ""


async def measure(parts: list[str], mirror: str) -> list[Figure]:
    figures = await cluster.starts() if "starts" in parts else []
    cluster.delete()
    profile = await cluster.start("--registry-mirror", f"docker.io={mirror}")
    try:
        if "idle" in parts:
            figures += await cluster.idle(profile, settle=10, seconds=20)
        if "commands" in parts:
            with tempfile.TemporaryDirectory() as folder:
                figures += await asyncio.to_thread(commands.measure, mirror, Path(folder))
        config = Config.from_kubeconfig(profile.kubeconfig("admin"))
        async with connect(config, user_agent="bench") as client:
            await client.create(core.Namespace(metadata=meta.ObjectMeta(name=NAMESPACE)))
            if "memory" in parts:
                figures += await memory.measure(client, profile)
            if "pods" in parts:
                figures += await pods.measure(client)
            if "ingress" in parts:
                figures += await ingress.measure(client, profile.node_address)
            if "watch" in parts:
                figures += await watchers.measure(client, config, 100)
                figures += await watchers.measure(client, config, 1000)
            if "requests" in parts:
                figures += await requests.measure(client, profile.server, await admin_token(client))
    finally:
        cluster.delete()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if none is named")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder, registry_of_images(Path(folder)) as mirror:
        figures = uvloop.run(measure(arguments.parts or list(PARTS), mirror))
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps({figure.name: figure.value for figure in figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
