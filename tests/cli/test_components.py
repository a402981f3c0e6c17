"""Each component by itself, with upstream's flags: separate processes that meet through the API server alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from pybernetes.cli.main import COMPONENTS

from .parts import NODE, P8S, READY, SECONDS, Parts, bound, serving_certificate, wait_until, write_kubeconfig

NEEDED = {"runtime": ["--root=/nowhere", "--socket=/nowhere/socket"], "simulator": ["--kubeconfig=/no/file"]}


def p8s(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*P8S, *arguments], capture_output=True, text=True, timeout=SECONDS)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (
            "--encryption-provider-config=/none",
            "error while parsing file: error while loading file: error opening encryption provider configuration file",
        ),
        ("--audit-policy-file=/none", "loading audit policy file: failed to read file path"),
        (
            "--authentication-config=/none",
            'failed to load authentication configuration from file "/none": open /none: no such file',
        ),
        ("--authorization-config=/none", "failed to load AuthorizationConfiguration from file"),
        ("--max-requests-inflight=-1", "--max-requests-inflight can not be negative value"),
    ],
)
def test_files_that_configure_the_api_server_are_told_in_a_line(flag: str, words: str) -> None:
    done = p8s("apiserver", "--secure-port=1", "--cert-dir=", flag)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {words}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("component", COMPONENTS)
def test_help_names_the_flags(component: str) -> None:
    done = p8s(component, "--help")
    assert done.returncode == 0
    assert f"usage: p8s {component} " in done.stdout
    assert "--kubeconfig" in done.stdout or component in ("apiserver", "runtime")


@pytest.mark.parametrize("component", COMPONENTS)
def test_unknown_flag_is_wrong_usage(component: str) -> None:
    done = p8s(component, *NEEDED.get(component, []), "--no-such-flag")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"p8s {component}: error: unrecognized arguments: --no-such-flag"


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["controller-manager", "--kubeconfig=/no/file"], "/no/file"),
        (["scheduler", "--kubeconfig=/no/file"], "/no/file"),
        (["proxy", "--kubeconfig=/no/file"], "/no/file"),
        (["proxy", "--proxy-mode=iptables", "--cleanup"], "iptables"),
        (["dns", "--kubeconfig=/no/file"], "/no/file"),
        (["kubelet", "--kubeconfig=/no/file", "--container-runtime-endpoint=unix:///no/socket"], "/no/file"),
        (["kubelet", "--config=/no/file"], "/no/file"),
        (["runtime", "--root=/proc/no", "--socket=/proc/no/socket"], "/proc/no"),
        (["runtime", "--root=/nowhere", "--socket=/nowhere/s", "--registry-mirror=docker.io"], "docker.io"),
        (["apiserver", "--tls-cert-file=/no/file", "--tls-private-key-file=/no/file"], "No such file"),
        (["apiserver", "--token-auth-file=/no/file", "--cert-dir="], "/no/file"),
        (["apiserver", "--storage=sqlite:/proc/no/store.db", "--cert-dir="], "/proc/no"),
        (["apiserver", "--etcd-servers=http://127.0.0.1:1", "--cert-dir="], "etcd"),
        (["apiserver", "--bind-address=not-one", "--cert-dir="], "not-one"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line(arguments: list[str], cause: str) -> None:
    done = p8s(*arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert cause in last


def test_parts_make_a_control_plane(parts: Parts, tmp_path: Path) -> None:
    """A deployment's pods are bound to a node; every part ends in good order, also while the API server is away."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (tmp_path / "tokens.csv").write_text('sesame,admin,1,"system:masters"\n')
    serve = [
        f"--secure-port={port}", f"--token-auth-file={tmp_path / 'tokens.csv'}", "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.111.0.0/16", f"--storage=sqlite:{tmp_path / 'store.db'}",
        f"--cert-dir={tmp_path / 'certificates'}",
    ]  # fmt: skip
    parts.start("apiserver", *serve)
    certificate = wait_until(lambda: serving_certificate(port))
    write_kubeconfig(tmp_path, port)
    kubeconfig = f"--kubeconfig={tmp_path / 'kubeconfig'}"
    parts.start("controller-manager", kubeconfig, "--leader-elect=false", "--secure-port=0")
    parts.start("scheduler", kubeconfig, "--leader-elect=false", "--secure-port=0")
    parts.kubectl("create", "-f", "-", input=NODE)
    ready = json.dumps({"status": READY})
    parts.kubectl("patch", "node", "made-by-hand", "--subresource=status", "--type=merge", "--patch", ready)
    parts.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    wait_until(lambda: bound(parts) == ["made-by-hand"] * 2)
    parts.kubectl("expose", "deployment", "web", "--port=80")
    assert parts.get("service", "web")["spec"]["clusterIP"].startswith("10.111.")
    assert parts.end("apiserver", signal.SIGTERM) == 0
    assert parts.end("scheduler", signal.SIGTERM) == 0
    assert parts.end("controller-manager", signal.SIGINT) == 0
    for name in ("apiserver", "controller-manager", "scheduler"):
        assert "Traceback" not in parts.log(name)
    parts.start("apiserver", *serve)
    assert wait_until(lambda: serving_certificate(port)) == certificate, "the same, so that clients may trust it"
    assert len(parts.get("pods")["items"]) == 2
    assert os.stat(tmp_path / "certificates" / "apiserver.key").st_mode & 0o777 == 0o600
