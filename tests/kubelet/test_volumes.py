"""Volumes on a real file system; mounts are made in this process's own mount namespace."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.containers.mounts import container_devices
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.volumes import atomic, blockdevice, emptydir, hostpath, mounting, ownership, subpath
from pybernetes.kubelet.volumes.files import File, VolumeError, select
from pybernetes.kubelet.volumes.podvolumes import remove_directory

from .world import World, a_container, a_pod


def visible(directory: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in directory.iterdir() if not p.name.startswith("..")}


def test_atomic_write_replaces_all_files_by_one_link(tmp_path: Path) -> None:
    assert atomic.write(tmp_path, {"a": File(b"1", 0o644), "dir/b": File(b"2", 0o600)})
    first = os.readlink(tmp_path / "..data")
    assert (tmp_path / "dir/b").read_text() == "2"
    assert stat.S_IMODE((tmp_path / "dir/b").stat().st_mode) == 0o600
    assert not atomic.write(tmp_path, {"a": File(b"1", 0o644), "dir/b": File(b"2", 0o600)})
    assert atomic.write(tmp_path, {"a": File(b"3", 0o644)})
    assert os.readlink(tmp_path / "..data") != first
    assert visible(tmp_path) == {"a": "3"}
    assert not (tmp_path / first).exists()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "..x", ""])
def test_paths_that_leave_the_volume_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(VolumeError):
        atomic.write(tmp_path, {path: File(b"", 0o644)})
    assert not any(tmp_path.iterdir())


def test_items_choose_keys_and_a_missing_one_is_told() -> None:
    items = [v1.KeyToPath(key="k", path="sub/x", mode=0o400)]
    assert select({"k": b"v", "other": b""}, items, 0o644, False, "configmap") == {"sub/x": File(b"v", 0o400)}
    with pytest.raises(VolumeError, match="configmap references non-existent config key: k"):
        select({}, items, 0o644, False, "configmap")
    assert select({}, items, 0o644, True, "configmap") == {}


def test_sub_path_is_made_and_bound(tmp_path: Path) -> None:
    volume, target = tmp_path / "volume", tmp_path / "target"
    volume.mkdir()
    try:
        subpath.bind(volume, "a/b", target)
        (target / "file").write_text("x")
        assert (volume / "a/b/file").read_text() == "x"
    finally:
        mounting.unmount(str(target))


@pytest.mark.parametrize("link", ["/etc", "../outside", "inner"])
def test_sub_path_never_leaves_its_volume(tmp_path: Path, link: str) -> None:
    volume, target = tmp_path / "volume", tmp_path / "target"
    volume.mkdir()
    (tmp_path / "outside").mkdir()
    (volume / "inner").symlink_to("/")
    (volume / "link").symlink_to(link)
    with pytest.raises(VolumeError, match="leads out of the volume"):
        subpath.bind(volume, "link", target)
    with pytest.raises(VolumeError, match="leads out of the volume"):
        subpath.bind(volume, "link/new", target)
    assert not mounting.mounts_below(tmp_path)
    assert not (tmp_path / "outside/new").exists()


def test_sub_path_of_a_file_follows_links_that_stay_inside(tmp_path: Path) -> None:
    volume, target = tmp_path / "volume", tmp_path / "target"
    volume.mkdir()
    atomic.write(volume, {"key": File(b"v", 0o644)})
    try:
        assert subpath.bind(volume, "key", target).read_text() == "v"
    finally:
        mounting.unmount(str(target))


def test_removal_unmounts_first_and_spares_what_was_mounted(tmp_path: Path) -> None:
    host, pod = tmp_path / "host", tmp_path / "pods/uid"
    host.mkdir()
    (host / "precious").write_text("x")
    (pod / "volumes/m").mkdir(parents=True)
    mounting.mount(str(host), str(pod / "volumes/m"), flags=mounting.MS_BIND)
    remove_directory(pod)
    assert not pod.exists()
    assert (host / "precious").read_text() == "x"


def test_what_is_made_in_volumes_is_for_any_user_whatever_the_umask(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o2777)
    target = tmp_path / "target"
    before = os.umask(0o077)
    try:
        directory = v1.HostPathVolumeSource(path=str(tmp_path / "a/b"), type="DirectoryOrCreate")
        file = v1.HostPathVolumeSource(path=str(tmp_path / "f"), type="FileOrCreate")
        made = [hostpath.set_up(directory), tmp_path / "a", hostpath.set_up(file)]
        bound = subpath.bind(volume, "x/y", target)
        modes = [each.stat().st_mode & 0o7777 for each in (*made, volume / "x", bound)]
    finally:
        os.umask(before)
        mounting.unmount(str(target))
    assert modes == [0o755, 0o755, 0o644, 0o2777, 0o2777]


def test_host_path_types(tmp_path: Path) -> None:
    made = hostpath.set_up(v1.HostPathVolumeSource(path=str(tmp_path / "d"), type="DirectoryOrCreate"))
    assert made.is_dir()
    assert hostpath.set_up(v1.HostPathVolumeSource(path=str(tmp_path / "f"), type="FileOrCreate")).is_file()
    with pytest.raises(VolumeError, match=r"hostPath type check failed: .*/d is not a file"):
        hostpath.set_up(v1.HostPathVolumeSource(path=str(tmp_path / "d"), type="File"))
    with pytest.raises(VolumeError, match="is not a directory"):
        hostpath.set_up(v1.HostPathVolumeSource(path=str(tmp_path / "none"), type="Directory"))


def test_ownership_goes_to_the_group_but_not_through_links(tmp_path: Path) -> None:
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    volume.mkdir()
    outside.write_text("")
    outside.chmod(0o600)
    (volume / "file").write_text("")
    (volume / "link").symlink_to(outside)
    ownership.own(volume, 4242)
    assert (volume / "file").stat().st_gid == 4242
    assert stat.S_IMODE((volume / "file").stat().st_mode) & 0o660 == 0o660
    assert volume.stat().st_mode & stat.S_ISGID
    assert outside.stat().st_gid == os.getgid()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600


async def test_a_projected_token_is_renewed_before_it_ends(world: World) -> None:
    token = v1.ServiceAccountTokenProjection(path="token", expiration_seconds=3600)
    field = v1.DownwardAPIVolumeFile(path="ns", field_ref=v1.ObjectFieldSelector(field_path="metadata.namespace"))
    source = v1.ProjectedVolumeSource(
        sources=[
            v1.VolumeProjection(service_account_token=token),
            v1.VolumeProjection(downward_api=v1.DownwardAPIProjection(items=[field])),
        ]
    )
    path = world.root / "pods/uid-p/volumes/kubernetes.io~projected/api"
    try:
        await world.apply(a_pod(volumes=[v1.Volume(name="api", projected=source)]))
        assert visible(path) == {"token": "token1", "ns": "default"}
        assert mounting.is_mount_point(path)
        await world.advance(3600 * 0.8 + 1)
        assert visible(path)["token"] == "token2"
    finally:
        for point in mounting.mounts_below(world.root):
            mounting.unmount(point)


async def test_labels_that_change_reach_the_downward_volume(world: World) -> None:
    field = v1.DownwardAPIVolumeFile(path="labels", field_ref=v1.ObjectFieldSelector(field_path="metadata.labels"))
    volume = v1.Volume(name="info", downward_api=v1.DownwardAPIVolumeSource(items=[field]))
    await world.apply(a_pod(volumes=[volume]))
    await world.refresh("p", labels={"b": "2", "a": 'x"y'})
    path = world.root / "pods/uid-p/volumes/kubernetes.io~downward-api/info/labels"
    assert path.read_text() == 'a="x\\"y"\nb="2"'


@pytest.mark.parametrize(
    ("own", "of_pod", "expected"),
    [(None, None, 0), ("2Mi", None, 2 << 20), (None, "1Mi", 1 << 20), ("2Mi", "1Mi", 1 << 20), ("1Mi", "2Mi", 1 << 20)],
)
def test_a_volume_in_memory_holds_no_more_than_its_pod(own: str | None, of_pod: str | None, expected: int) -> None:
    source = v1.EmptyDirVolumeSource(medium="Memory", size_limit=own)
    limit = Quantity.parse(of_pod) if of_pod is not None else None
    assert emptydir.memory_size(source, limit) == expected


async def test_memory_empty_dir_is_a_tmpfs_of_its_size_and_goes_with_the_pod(world: World) -> None:
    volume = v1.Volume(name="shm", empty_dir=v1.EmptyDirVolumeSource(medium="Memory", size_limit="1Mi"))
    await world.apply(a_pod(volumes=[volume]))
    path = world.root / "pods/uid-p/volumes/kubernetes.io~empty-dir/shm"
    assert os.statvfs(path).f_blocks * os.statvfs(path).f_frsize == 2**20
    await world.delete("p")
    assert not path.exists()
    assert not mounting.mounts_below(world.root)


async def test_an_empty_dir_survives_a_restart_of_the_kubelet(world: World) -> None:
    volume = v1.Volume(name="data", empty_dir=v1.EmptyDirVolumeSource())
    mount = v1.VolumeMount(name="data", mount_path="/data")
    await world.apply(a_pod(volumes=[volume], containers=[a_container(volume_mounts=[mount])]))
    path = world.root / "pods/uid-p/volumes/kubernetes.io~empty-dir/data"
    (path / "file").write_text("kept")
    await world.scope.close()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    world.runtime.exit("c", 1)
    await world.settle()
    assert (path / "file").read_text() == "kept"
    config = world.runtime.configs[world.runtime.named("c").id]
    assert str(path) in [found.host_path for found in config.mounts if found.container_path == "/data"]


async def test_what_a_volume_shows_is_followed_after_a_restart_of_the_kubelet(world: World) -> None:
    world.objects.config_maps["c"] = v1.ConfigMap(data={"k": "before"})
    volume = v1.Volume(name="data", config_map=v1.ConfigMapVolumeSource(name="c"))
    mount = v1.VolumeMount(name="data", mount_path="/data")
    await world.apply(a_pod(volumes=[volume], containers=[a_container(volume_mounts=[mount])]))
    path = world.root / "pods/uid-p/volumes/kubernetes.io~configmap/data/k"
    assert path.read_text() == "before"
    await world.scope.close()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    world.objects.config_maps["c"] = v1.ConfigMap(data={"k": "after"})
    world.kubelet.objects_changed("uid-p")
    await world.settle()
    assert path.read_text() == "after"


async def test_a_token_is_renewed_after_a_restart_of_the_kubelet(world: World) -> None:
    token = v1.ServiceAccountTokenProjection(path="token", expiration_seconds=3600)
    source = v1.ProjectedVolumeSource(sources=[v1.VolumeProjection(service_account_token=token)])
    mount = v1.VolumeMount(name="data", mount_path="/data")
    volume = v1.Volume(name="data", projected=source)
    await world.apply(a_pod(volumes=[volume], containers=[a_container(volume_mounts=[mount])]))
    await world.scope.close()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    before = world.tokens.made
    await world.advance(3600)
    assert world.tokens.made > before


async def test_an_unsupported_volume_is_refused_by_name(world: World) -> None:
    volume = v1.Volume(name="n", nfs=v1.NFSVolumeSource(server="s", path="/"))
    await world.apply(a_pod(volumes=[volume]))
    told = [message for reason, message in world.recorder.told if reason == "FailedMount"]
    assert told
    assert told[0].endswith("volume type nfs is not supported on this node")


async def test_fs_group_owns_an_empty_dir(world: World) -> None:
    pod = a_pod(volumes=[v1.Volume(name="data", empty_dir=v1.EmptyDirVolumeSource())])
    context = v1.PodSecurityContext(fs_group=4242)
    await world.apply(msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, security_context=context)))
    assert (world.root / "pods/uid-p/volumes/kubernetes.io~empty-dir/data").stat().st_gid == 4242


async def test_a_token_that_cannot_be_renewed_is_asked_for_with_back_off(world: World) -> None:
    from pybernetes.api.errors import StatusError

    token = v1.ServiceAccountTokenProjection(path="token", expiration_seconds=3600)
    source = v1.ProjectedVolumeSource(sources=[v1.VolumeProjection(service_account_token=token)])
    asked: list[float] = []

    async def refuse(*args: object) -> None:
        asked.append(world.clock.monotonic())
        raise StatusError(500, "InternalError", "no")

    try:
        await world.apply(a_pod(volumes=[v1.Volume(name="api", projected=source)]))
        world.tokens.request = refuse  # type: ignore[method-assign,assignment]
        await world.advance(3600 * 0.8 + 10)
        assert 3 <= len(asked) <= 6
    finally:
        for point in mounting.mounts_below(world.root):
            mounting.unmount(point)


@pytest.mark.parametrize("name", ["plain", "a b", "back\\slash", "tab\tnew\nline", "\x0b\x1c\u2028"])
def test_mount_points_are_known_whatever_they_are_called(tmp_path: Path, name: str) -> None:
    place, beside = tmp_path / name, tmp_path / f"{name}-beside"
    (tmp_path / "bound").mkdir()
    for each in (place, beside):
        each.mkdir()
        assert not mounting.is_mount_point(each)
    mounting.mount(str(tmp_path / "bound"), str(place), flags=mounting.MS_BIND)
    mounting.mount("tmpfs", str(beside), "tmpfs")
    try:
        assert mounting.is_mount_point(place)
        assert mounting.is_mount_point(beside)
        assert not mounting.is_mount_point(tmp_path / "missing/below")
        assert mounting.mounts_below(place) == [str(place)]
        assert set(mounting.mounts_below(tmp_path)) == {str(place), str(beside)}
    finally:
        for each in (place, beside):
            mounting.unmount(str(each))
    assert not mounting.is_mount_point(place)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    """An empty block device."""
    image = tmp_path / "image"
    image.write_bytes(b"")
    os.truncate(image, 16 << 20)
    made = subprocess.run(["losetup", "-f", "--show", str(image)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr}")
    try:
        yield Path(made.stdout.strip())
    finally:
        subprocess.run(["losetup", "-d", made.stdout.strip()], check=False)


def test_a_device_gets_a_filesystem_once_and_is_mounted_for_each_pod(device: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "p1" / "volumes" / "v", tmp_path / "p2" / "volumes" / "v"
    link = tmp_path / "link"
    link.symlink_to(device)
    try:
        blockdevice.mount(link, first, "", [])
        (first / "file").write_text("kept")
        blockdevice.mount(link, first, "", [])
        blockdevice.mount(device, second, "ext4", [])
        assert (second / "file").read_text() == "kept"
        with pytest.raises(VolumeError, match="mount failed"):
            blockdevice.mount(device, tmp_path / "other", "vfat", [])
    finally:
        remove_directory(tmp_path / "p1")
        remove_directory(tmp_path / "p2")
    blockdevice.mount(device, first, "ext4", [])
    try:
        assert (first / "file").read_text() == "kept"
    finally:
        remove_directory(tmp_path / "p1")


def test_only_devices_are_passed_as_devices(device: Path, tmp_path: Path) -> None:
    assert blockdevice.checked(device) == device
    for path in (tmp_path, tmp_path / "absent", Path("/dev/null")):
        with pytest.raises(VolumeError, match="is not a block device"):
            blockdevice.checked(path)
    container = a_container(volume_devices=[v1.VolumeDevice(name="d", device_path="/dev/xvda")])
    made = container_devices(container, {"d": device}, frozenset())
    assert made == [t.Device(container_path="/dev/xvda", host_path=str(device), permissions="mrw")]
    assert container_devices(container, {"d": device}, frozenset({"d"}))[0].permissions == "r"
    with pytest.raises(ConfigError, match='cannot find volume "d"'):
        container_devices(container, {}, frozenset())


def test_a_volume_in_memory_is_sticky_as_the_kernel_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "volumes" / "v"
    emptydir.set_up(path, v1.EmptyDirVolumeSource(medium="Memory"))
    try:
        ownership.own(path, 123, only_on_mismatch=False)
        bound = subpath.bind(path, "sub", tmp_path / "volume-subpaths" / "s")
        assert [oct(stat.S_IMODE(each.stat().st_mode)) for each in (path, bound)] == ["0o3777", "0o3777"]
        assert bound.stat().st_gid == 123
    finally:
        remove_directory(tmp_path)
