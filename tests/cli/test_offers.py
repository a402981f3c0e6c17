"""What of a cluster's own a user is offered at each place, in the shells themselves; the cluster is a real API server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.apiservers import APIServer
from tests.cli.test_completion import offered, typed_into_zsh

from pybernetes.cli.offers import offered as offers

CONFIG = """{{"clusters": [{{"name": "c", "cluster": {{"server": "{url}"}}}}],
    "contexts": [{{"name": "c", "context": {{"cluster": "c", "user": "u"}}}}], "current-context": "c",
    "users": [{{"name": "u", "user": {{}}}}]}}"""
GADGETS = """
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: gadgets.example.com}, spec: {
  group: example.com, scope: Namespaced, names: {plural: gadgets, singular: gadget, kind: Gadget, shortNames: [gd]},
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}}
"""
CASES = [
    (["why", "deploym"], {"deployment/"}),
    (["why", "sv"], {"svc/"}),
    (["why", "configmap/"], {"configmap/blue", "configmap/green", "configmap/kube-root-ca.crt"}),
    (["why", "cm/bl"], {"cm/blue"}),
    (["why", "configmap", "gr"], {"green"}),
    (["why", "-n", "shop", "cm/r"], {"cm/red"}),
    (["why", "cm/b", "-n", "sh"], {"shop"}),
    (["why", "pods/"], set()),
    (["why", "gd/"], {"gd/one"}),
    (["why", "no-such/"], set()),
    (["addons", "disable", "ing"], {"ingress"}),
]


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a server with config maps `blue` and `green`, and `red` in namespace `shop`; a gadget `one`."""
    folder = tmp_path_factory.mktemp("offers")
    server = APIServer(folder)
    server.start()
    path = folder / "kubeconfig"
    path.write_text(CONFIG.format(url=server.url))

    def kubectl(*arguments: str, input: str | None = None) -> None:
        command = ["kubectl", f"--kubeconfig={path}", *arguments]
        subprocess.run(command, input=input, text=True, check=True, timeout=60, capture_output=True)

    kubectl("create", "namespace", "shop")
    for name, namespace in (
        ("blue", "default"),
        ("green", "default"),
        ("kube-root-ca.crt", "default"),
        ("red", "shop"),
    ):
        kubectl("create", "configmap", name, "-n", namespace)
    kubectl("create", "-f", "-", input=GADGETS)
    kubectl("wait", "--for=condition=Established", "crd/gadgets.example.com")
    kubectl("create", "-f", "-", input="{apiVersion: example.com/v1, kind: Gadget, metadata: {name: one}}")
    yield path
    server.stop()


@pytest.fixture
def own_p8s(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose p8s is this tree's, and asks that server."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    program = tmp_path / "p8s"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pybernetes.cli.main "$@"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("words", "expected"), CASES, ids=lambda value: "-".join(value) if isinstance(value, list) else ""
)
def test_what_is_offered(shell: str, words: list[str], expected: set[str], own_p8s: Path) -> None:
    assert offered(shell, words, own_p8s) == expected


def test_zsh_goes_on_from_the_kind_to_the_name(own_p8s: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One Tab completes the kind without a space, another the name."""
    monkeypatch.setenv("PATH", f"{own_p8s}:{os.environ['PATH']}")
    with typed_into_zsh("source {folder}/script", own_p8s) as zsh:
        zsh.type("p8s why deploym\t")
        zsh.until("deployment/")
        zsh.type("\x15p8s why configmap/bl\t")
        zsh.until("configmap/blue")
        zsh.type("\x15p8s why configmap gr\t")
        zsh.until("green")


@pytest.mark.parametrize(
    "words", [["why", "pod/"], ["why", "-n", ""], ["service", ""], ["ip", ""], ["stop", ""], [""], []]
)
def test_where_no_cluster_answers_nothing_is_said(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert offers([*words[:1], "-p", "no-such-profile", *words[1:]] if words else words) == []


def test_every_kind_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = offers(["why", ""])
    assert {"pod/", "deployment/", "persistentvolumeclaim/", "node/"} < set(found)
    assert len(found) == len(set(found))
