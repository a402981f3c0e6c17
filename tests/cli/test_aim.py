"""Next steps name the cluster that was asked about, where they would reach another."""

from __future__ import annotations

import pytest

from pybernetes.cli import aim, console
from pybernetes.cli.aim import Aim, aimed
from pybernetes.explain.causes import Cause, Finding, Ref

STEPS = [
    ("kubectl set image deployment/web app=nginx", "kubectl --context ci set image deployment/web app=nginx"),
    ("sudo p8s node start ci-m02", "sudo p8s node start -p ci ci-m02"),
    ("p8s addons enable metrics, or install metrics-server", "p8s addons enable -p ci metrics, or install metrics-server"),
    ("p8s why pod/web; kubectl get pod -A", "p8s why -p ci pod/web; kubectl --context ci get pod -A"),
    (
        "docker save a:1 | sudo p8s image load    # or p8s image build -t a:1 DIRECTORY",
        "docker save a:1 | sudo p8s image load -p ci    # or p8s image build -p ci -t a:1 DIRECTORY",
    ),
    ("p8s start makes one", "p8s start makes one"),
    ("make the rule a preferred one, or add nodes: p8s node add", "make the rule a preferred one, or add nodes: p8s node add -p ci"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_another_cluster_is_named(step: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aim, "typed", lambda step: step)
    assert Aim("ci", "ci", why="ci")(step) == expected
    assert Aim()(step) == step


def test_at_every_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.os, "geteuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    deep = Cause("no room", steps=("sudo p8s node add",))
    finding = Finding(Ref("pod", "web", "default"), "waits", (Cause("unplaced", because=(deep,)),))
    assert aimed(finding, Aim(profile="ci")).steps() == ["p8s node add -p ci"]
