"""The container runtime of a profile's node."""

from __future__ import annotations

from pathlib import Path

from pybernetes.cluster import registry
from pybernetes.cluster.profile import Profile
from pybernetes.process import run_until_terminated
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.main import parse, run
from pybernetes.runtime.service.runtime import open_runtime


def arguments(profile: Profile) -> list[str]:
    """The flags that it is started with."""
    settings = profile.settings
    return [
        f"--root={profile.state / 'runtime'}",
        f"--socket={socket(profile)}",
        f"--streaming={profile.run / 'streaming.sock'}",
        f"--oci-runtime={settings.oci_runtime}",
        f"--cgroup={cgroup(profile)}",
        f"--bridge={profile.bridge}",
        f"--node-cidr={profile.first_node.pod_cidr}",
        f"--pod-cidr={settings.pod_cidr}",
        f"--service-cidr={settings.service_cidr}",
        *(f"--registry-mirror={mirror}" for mirror in (*settings.registry_mirrors, *registry.mirrors(profile))),
        *(f"--insecure-registry={registry}" for registry in settings.insecure_registries),
    ]


def socket(profile: Profile) -> str:
    return str(profile.run / "runtime.sock")


def blobs(profile: Profile) -> Path:
    """The content store's directory of blobs."""
    return profile.state / "runtime" / "images" / "blobs" / "sha256"


def cgroup(profile: Profile) -> str:
    """The parent of all cgroups of the profile."""
    return f"/pybernetes/{profile.name}"


async def remove_everything(profile: Profile) -> None:
    """End and remove every sandbox and container, with nobody else serving the runtime's directory."""
    profile.save()  # /run is empty after a reboot
    options = parse(arguments(profile)).options
    images = Images(options.root / "images")
    await images.start()
    try:
        async with open_runtime(options, images) as service:
            for sandbox in await service.list_pod_sandbox():
                await service.stop_pod_sandbox(sandbox.id)
                await service.remove_pod_sandbox(sandbox.id)
    finally:
        await images.close()


def main(profile: Profile) -> None:
    """Serve CRI until SIGTERM."""
    settings = parse(arguments(profile))
    run_until_terminated("runtime", lambda: run(settings))
