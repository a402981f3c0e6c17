"""The kubelet's directory under the name that plugins know, and mounts that are shared with them."""

import subprocess
import sys
from pathlib import Path

import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.root import UPSTREAM, Root
from pybernetes.kubelet.volumes import hostpath, mounting

ROOT = Root(Path("/var/lib/pybernetes/default/nodes/m02/kubelet"))


@pytest.mark.parametrize(
    ("named", "here"),
    [
        ("/var/lib/kubelet", "."),
        ("/var/lib/kubelet/", "."),
        ("/var/lib/kubelet/plugins/csi.sock", "plugins/csi.sock"),
        ("/var/lib//kubelet/pods/../plugins", "plugins"),
    ],
)
def test_what_is_named_as_upstream_has_it_is_the_nodes_own(named, here):
    assert ROOT.here(named) == ROOT.own / here


@pytest.mark.parametrize("named", ["/var/lib", "/var/lib/kubelet2/x", "/var/lib/kubelet/../x", "/dev/null"])
def test_other_paths_are_what_they_are(named):
    assert ROOT.here(named) == Path(named)
    assert ROOT.told(named) == named


def test_what_drivers_are_told_is_named_as_upstream_has_it():
    assert ROOT.told(ROOT.pods / "uid" / "volumes") == "/var/lib/kubelet/pods/uid/volumes"
    assert ROOT.told(ROOT.own) == "/var/lib/kubelet"
    assert UPSTREAM.told("/var/lib/kubelet/x") == "/var/lib/kubelet/x" == str(UPSTREAM.here("/var/lib/kubelet/x"))


def test_a_host_path_of_it_is_found_there(tmp_path):
    root = Root(tmp_path)
    root.make()
    source = v1.HostPathVolumeSource(path="/var/lib/kubelet/plugins_registry", type="Directory")
    assert hostpath.set_up(source, root) == tmp_path / "plugins_registry"


def test_mounts_below_a_shared_directory_are_seen_by_its_peers(tmp_path):
    program = f"""
import os, subprocess, sys
from pathlib import Path
from pybernetes.kubelet.volumes import mounting
root, peer = Path({str(tmp_path)!r}) / "kubelet", Path({str(tmp_path)!r}) / "peer"
root.mkdir(), peer.mkdir()
mounting.share(root)
mounting.share(root)  # safe to repeat
assert len(mounting.mounts_below(root)) == 1
mounting.mount(str(root), str(peer), flags=mounting.MS_BIND)
(peer / "volume").mkdir()
mounting.mount("tmpfs", str(peer / "volume"), "tmpfs")
(peer / "volume" / "made").touch()
assert (root / "volume" / "made").exists()
mounting.unmount(str(root / "volume"))
assert not (peer / "volume" / "made").exists()
"""
    command = ["unshare", "-m", "--propagation", "private", sys.executable, "-c", program]
    subprocess.run(command, check=True)


def test_a_directory_with_mounts_is_left_as_it_is(tmp_path):
    (tmp_path / "pods").mkdir()
    mounting.mount("tmpfs", str(tmp_path / "pods"), "tmpfs")
    try:
        mounting.share(tmp_path)
        assert mounting.mounts_below(tmp_path) == [str(tmp_path / "pods")]
    finally:
        mounting.unmount(str(tmp_path / "pods"))
