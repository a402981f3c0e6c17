"""What a node uses, as each generation of cgroups counts it."""

from pathlib import Path

from pybernetes.kubelet.node.use import Use, cgroup_use, machine_use


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_v2(tmp_path: Path) -> None:
    files = {
        "cgroup.controllers": "cpu memory",
        "a/b/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
        "a/b/memory.current": "1000\n",
        "a/b/memory.stat": "anon 5\ninactive_file 400\n",
    }
    assert cgroup_use("/a/b", write(tmp_path, files)) == Use(2.5, 600)


def test_v1_with_cpu_and_cpuacct_mounted_together(tmp_path: Path) -> None:
    files = {
        "cpu,cpuacct/a/b/cpuacct.usage": "2500000000\n",
        "memory/a/b/memory.usage_in_bytes": "1000\n",
        "memory/a/b/memory.stat": "inactive_file 1\ntotal_inactive_file 400\n",
    }
    assert cgroup_use("/a/b", write(tmp_path, files)) == Use(2.5, 600)


def test_a_node_on_which_nothing_has_run_yet(tmp_path: Path) -> None:
    assert cgroup_use("/a/b", tmp_path) == Use(0.0, 0)


def test_the_machine_works() -> None:
    use = machine_use()
    assert use.cpu_seconds > 0
    assert use.working_set > 0
