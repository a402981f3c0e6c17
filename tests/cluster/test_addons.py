"""Addons of a cluster that is stopped: kept in its settings, and only what can give way does. E2 has a running one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybernetes.cluster import profile
from pybernetes.cluster.addons import ADDONS, AddonError, find, is_enabled, switch
from pybernetes.cluster.processes.manager import load_balancer_range
from pybernetes.cluster.profile import load


@pytest.fixture(autouse=True)
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    monkeypatch.setattr(profile, "RUN", tmp_path / "run")
    load("ci").save()


def test_everything_is_on_at_first() -> None:
    assert all(is_enabled(load("ci"), addon) for addon in ADDONS)


def test_switched_and_kept() -> None:
    addon = find("load-balancer")
    assert load_balancer_range(load("ci")) == "10.244.255.0/24"
    assert switch("ci", addon, on=False)
    assert not switch("ci", addon, on=False)
    assert load("ci").settings.disabled_addons == ["load-balancer"]
    assert load_balancer_range(load("ci")) == ""
    assert switch("ci", addon, on=True)
    assert load("ci").settings.disabled_addons == []


@pytest.mark.parametrize("addon", [addon for addon in ADDONS if addon.fixed], ids=lambda addon: addon.name)
def test_fixed(addon: object) -> None:
    with pytest.raises(AddonError, match="part of every cluster"):
        switch("ci", addon, on=False)  # type: ignore[arg-type]
    assert not switch("ci", addon, on=True)  # type: ignore[arg-type]


def test_nearest() -> None:
    with pytest.raises(AddonError) as raised:
        find("ingres")
    assert raised.value.problems[0].next_step == "ingress"
