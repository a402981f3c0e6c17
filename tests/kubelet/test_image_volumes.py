"""Volumes that are images (KEP-4639): pulled for the pod by their own policy, mounted by the runtime."""

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import PullError
from pybernetes.kubelet.events import Events
from pybernetes.kubelet.images.collect import ImageCollector, ImageLimits

from .world import World, a_container, a_pod


def _pod(reference: str, *, mounted: bool = True, sub_path: str | None = None) -> v1.Pod:
    source = v1.ImageVolumeSource(reference=reference, pull_policy="IfNotPresent")
    mounts = [v1.VolumeMount(name="files", mount_path="/files", sub_path=sub_path)] if mounted else []
    return a_pod(containers=[a_container(volume_mounts=mounts)], volumes=[v1.Volume(name="files", image=source)])


async def test_it_is_pulled_and_mounted_by_the_runtime(world: World) -> None:
    world.runtime.registry["files:1"] = t.Image(id="sha256:files", size=7)
    await world.apply(_pod("files:1", sub_path="a/b"))
    assert world.status().phase == "Running"
    [config] = world.runtime.configs.values()
    spec = t.ImageSpec(image="sha256:files", user_specified_image="files:1")
    assert config.mounts[0] == t.Mount(container_path="/files", readonly=True, image=spec, image_sub_path="a/b")
    assert ("Pulling", 'Pulling image "files:1"') in world.recorder.told


async def test_one_that_cannot_be_pulled_holds_the_container(world: World) -> None:
    world.runtime.pull_error = PullError("manifest unknown")
    await world.apply(_pod("files:1"))
    waiting = world.container().state.waiting
    assert (waiting.reason, waiting.message) == ("ErrImagePull", "manifest unknown")
    await world.advance(3)
    assert world.container().state.waiting.reason == "ImagePullBackOff"
    world.runtime.pull_error = None
    world.runtime.registry["files:1"] = t.Image(id="sha256:files")
    await world.advance(10)
    assert world.status().phase == "Running"


async def test_one_that_nothing_mounts_holds_nobody(world: World) -> None:
    world.runtime.pull_error = PullError("manifest unknown")
    await world.apply(_pod("files:1", mounted=False))
    assert world.status().phase == "Running"


async def test_it_is_not_collected_while_a_container_has_it(world: World) -> None:
    world.runtime.registry |= {name: t.Image(id=f"sha256:{name}", repo_tags=[name]) for name in ("files:1", "other:1")}
    world.runtime.images["other:1"] = world.runtime.registry["other:1"]
    await world.apply(_pod("files:1"))
    runtime, events = world.runtime, Events(world.recorder, "n1")
    [(container_id, (owner, status))] = runtime.containers.items()
    mounted = msgspec.structs.replace(status, mounts=runtime.configs[container_id].mounts)
    runtime.containers[container_id] = (owner, mounted)
    collector = ImageCollector(runtime, runtime, events, world.clock, ImageLimits(0, 0, 0.0))
    await collector.collect()
    assert "files:1" in runtime.images
    assert "other:1" not in runtime.images
