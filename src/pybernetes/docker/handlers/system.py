"""What the daemon is: /_ping, /version, /info, /auth."""

from __future__ import annotations

import asyncio
import os
import platform
from collections import Counter
from typing import Any

from aiohttp import web

from pybernetes import __version__
from pybernetes.cri.types import ContainerState
from pybernetes.docker import auth, login, objects, platforms
from pybernetes.docker.handlers.containers import rows
from pybernetes.docker.service import API_VERSION, OLDEST_API, service, spoken


async def ping(request: web.Request) -> web.StreamResponse:
    """Builder-Version 1 is the classic builder: clients that may choose take it."""
    headers = {
        "Builder-Version": "1",
        "Cache-Control": "no-cache, no-store, must-revalidate",
        "Docker-Experimental": "false",
        "Pragma": "no-cache",
        "Swarm": "inactive",
    }
    return web.Response(text="" if request.method == "HEAD" else "OK", headers=headers)


async def version(request: web.Request) -> web.StreamResponse:
    machine = os.uname()
    about = {
        "Version": __version__,
        "ApiVersion": spoken(API_VERSION),
        "MinAPIVersion": spoken(OLDEST_API),
        "GitCommit": "",
        "GoVersion": f"python {platform.python_version()}",
        "Os": "linux",
        "Arch": platforms.architecture(),
        "KernelVersion": machine.release,
        "BuildTime": "",
    }
    details = {**about, "Experimental": "false"}
    components = [{"Name": "Engine", "Version": __version__, "Details": details}]
    return web.json_response({"Platform": {"Name": "Pybernetes"}, "Components": components, **about})


async def info(request: web.Request) -> web.StreamResponse:
    shared = service(request)
    containers, images = await shared.door.containers(), await shared.door.library.image_records()
    running = sum(each.state == ContainerState.CONTAINER_RUNNING for each in containers)
    machine = os.uname()
    found: dict[str, Any] = {
        "ID": shared.cluster,
        "Name": shared.cluster,
        "Containers": len(containers),
        "ContainersRunning": running,
        "ContainersPaused": 0,
        "ContainersStopped": len(containers) - running,
        "Images": len(images),
        "Driver": "overlay2",
        "DriverStatus": [["Cluster", shared.cluster]],
        "Plugins": {"Volume": [], "Network": [], "Authorization": None, "Log": []},
        "SystemTime": f"{shared.now():%Y-%m-%dT%H:%M:%SZ}",
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "1",
        "KernelVersion": machine.release,
        "OperatingSystem": await asyncio.to_thread(_operating_system),
        "OSType": "linux",
        "Architecture": machine.machine,
        "NCPU": os.cpu_count() or 1,
        "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["127.0.0.0/8"],
            "IndexConfigs": {},
            "Mirrors": [],
        },
        "DockerRootDir": str(shared.root),
        "ServerVersion": __version__,
        "DefaultRuntime": "pybernetes",
        "Runtimes": {"pybernetes": {"path": "p8s"}},
        "Swarm": {"LocalNodeState": "inactive", "ControlAvailable": False, "NodeID": "", "NodeAddr": "", "Error": ""},
        "SecurityOptions": [],
        "Warnings": [],
    }
    return web.json_response(found)


async def disk_usage(request: web.Request) -> web.StreamResponse:
    """`docker system df`. Volumes are the cluster's, and what builds have left is not measured: `p8s df` knows of both."""
    shared = service(request)
    records = await shared.door.library.image_records()
    used = Counter(container.image_id for container in await shared.door.containers())
    sizes = {layer: size for each in records for layer, size in zip(each.layers, each.layer_sizes, strict=True)}
    users = Counter(layer for record in records for layer in set(record.layers))
    images = [
        {
            **objects.summary(record, used[record.id]),
            "SharedSize": sum(sizes[layer] for layer in set(record.layers) if users[layer] > 1),
        }
        for record in records
    ]
    containers = [{**row, "SizeRw": 0} for row in await rows(request)]
    found = {"LayersSize": sum(sizes.values()), "Images": images, "Containers": containers}
    return web.json_response({**found, "Volumes": [], "BuildCache": [], "BuilderSize": 0})


async def log_in(request: web.Request) -> web.StreamResponse:
    """`docker login`: the registry is asked, the client keeps the credential."""
    host, given = auth.decode_login(await request.read())
    await login.check(host, given, service(request).insecure)
    return web.json_response({"Status": "Login Succeeded", "IdentityToken": ""})


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
