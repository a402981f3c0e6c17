"""CDI files and what they do to a container's config."""

import json
import os

import pytest

from pybernetes.cri.errors import CRIError
from pybernetes.runtime.oci.cdi import inject, read_devices


def a_spec():
    return {
        "process": {"env": ["PATH=/bin", "HOME=/"], "user": {"uid": 0, "gid": 0, "additionalGids": [7]}},
        "mounts": [{"destination": "/proc"}, {"destination": "/a/b", "source": "old"}],
        "linux": {"devices": [{"path": "/dev/null", "type": "c"}], "resources": {"devices": []}},
    }


def write(directory, name, *devices, kind="example.com/gpu", shared=None):
    tree = {"cdiVersion": "0.6.0", "kind": kind, "devices": [{"name": d, "containerEdits": e} for d, e in devices]}
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(json.dumps(tree | ({"containerEdits": shared} if shared else {})))


def test_every_kind_of_edit(tmp_path):
    node = tmp_path / "node"
    os.mkfifo(node)
    edits = {
        "env": ["A=1", "PATH=/usr/bin"],
        "deviceNodes": [
            {"path": "/dev/gpu0", "hostPath": "/dev/zero", "permissions": "rw"},
            {"path": "/dev/made", "type": "b", "major": 8, "minor": 1, "fileMode": 384, "uid": 5},
        ],
        "mounts": [
            {"hostPath": "/lib/a", "containerPath": "/a/b", "options": ["ro", "bind"]},
            {"hostPath": "tmpfs", "containerPath": "/t", "type": "tmpfs"},
        ],
        "hooks": [{"hookName": "createRuntime", "path": "/bin/hook", "args": ["hook"], "timeout": 3}],
        "additionalGids": [44],
    }
    write(tmp_path, "gpu.json", ("0", edits))
    spec = a_spec()
    inject(spec, ["example.com/gpu=0"], [tmp_path])
    assert spec["process"]["env"] == ["A=1", "PATH=/usr/bin", "HOME=/"]
    assert spec["process"]["user"]["additionalGids"] == [7, 44]
    by_path = {device["path"]: device for device in spec["linux"]["devices"]}
    assert by_path["/dev/gpu0"].items() >= {"type": "c", "major": 1, "minor": 5}.items()
    assert by_path["/dev/made"] == {"path": "/dev/made", "type": "b", "major": 8, "minor": 1, "fileMode": 384, "uid": 5}
    assert spec["linux"]["resources"]["devices"] == [
        {"allow": True, "type": "c", "access": "rw", "major": 1, "minor": 5},
        {"allow": True, "type": "b", "access": "rwm", "major": 8, "minor": 1},
    ]
    assert [mount["destination"] for mount in spec["mounts"]] == ["/proc", "/t", "/a/b"]
    assert spec["mounts"][-1]["source"] == "/lib/a"
    assert spec["hooks"] == {"createRuntime": [{"path": "/bin/hook", "args": ["hook"], "timeout": 3}]}


def test_what_a_file_does_for_all_its_devices_is_done_once(tmp_path):
    write(tmp_path, "gpu.json", ("0", {"env": ["B=0"]}), ("1", {"env": ["C=1"]}), shared={"additionalGids": [9]})
    spec = a_spec()
    inject(spec, ["example.com/gpu=0", "example.com/gpu=1", "example.com/gpu=0"], [tmp_path])
    assert spec["process"]["env"] == ["PATH=/bin", "B=0", "C=1", "HOME=/"]
    assert spec["process"]["user"]["additionalGids"] == [7, 9]


def test_a_device_that_nobody_describes_is_named(tmp_path):
    write(tmp_path, "gpu.json", ("0", {}))
    spec = a_spec()
    with pytest.raises(CRIError, match=r"unresolvable CDI devices example\.com/gpu=1, other\.io/x=y"):
        inject(spec, ["example.com/gpu=1", "example.com/gpu=0", "other.io/x=y"], [tmp_path])
    assert spec == a_spec()


def test_the_later_directory_counts_and_doubled_names_are_nobodys(tmp_path):
    first, second = tmp_path / "etc", tmp_path / "run"
    write(first, "a.json", ("0", {"env": ["FROM=etc"]}), ("1", {}))
    write(second, "a.json", ("0", {"env": ["FROM=run"]}), ("1", {}))
    write(second, "b.json", ("1", {}))
    known = read_devices([first, second, tmp_path / "none"])
    assert list(known) == ["example.com/gpu=0"]
    assert known["example.com/gpu=0"].own == {"env": ["FROM=run"]}


def test_yaml_is_read_and_what_is_no_description_passed_over(tmp_path):
    (tmp_path / "a.yaml").write_text("kind: v.io/c\ndevices:\n- name: d\n  containerEdits: {env: [X=1]}\n")
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.yaml").write_text("- just\n- a list\n")
    (tmp_path / "d.yaml").write_text("a: [")
    (tmp_path / "e.txt").write_text("kind: v.io/c")
    assert list(read_devices([tmp_path])) == ["v.io/c=d"]


@pytest.mark.parametrize(
    "edits", [{"deviceNodes": [{}]}, {"mounts": [{"hostPath": "/"}]}, {"env": [3]}, {"hooks": [1]}]
)
def test_edits_that_make_no_sense_are_an_error_of_the_runtime(tmp_path, edits):
    write(tmp_path, "gpu.json", ("0", edits))
    with pytest.raises(CRIError, match="invalid container edits"):
        inject(a_spec(), ["example.com/gpu=0"], [tmp_path])


def test_a_device_node_that_is_not_there(tmp_path):
    write(tmp_path, "gpu.json", ("0", {"deviceNodes": [{"path": "/dev/gpu", "hostPath": str(tmp_path / "no")}]}))
    with pytest.raises(CRIError, match=r"/no: no such device$"):
        inject(a_spec(), ["example.com/gpu=0"], [tmp_path])
