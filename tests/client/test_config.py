"""Kubeconfigs: files, inline data, contexts, and what is wrong with bad ones."""

import base64
from pathlib import Path

import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.client.config import Config, ConfigError
from pybernetes.client.credentials import Credentials

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
clusters:
- name: c1
  cluster: {server: "https://127.0.0.1:6443/", certificate-authority: ca.crt, tls-server-name: kubernetes}
- name: c2
  cluster: {server: "http://127.0.0.1:8080", insecure-skip-tls-verify: true}
users:
- name: u1
  user: {client-certificate-data: %s, client-key-data: %s}
- name: u2
  user: {tokenFile: token}
contexts:
- {name: one, context: {cluster: c1, user: u1, namespace: work}}
- {name: two, context: {cluster: c2, user: u2}}
- {name: lost, context: {cluster: nowhere, user: u1}}
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text(KUBECONFIG % (base64.b64encode(b"CERT").decode(), base64.b64encode(b"KEY").decode()))
    return file


def test_the_current_context_with_inline_data(kubeconfig: Path) -> None:
    config = Config.from_kubeconfig(kubeconfig)
    assert config.servers == ("https://127.0.0.1:6443",)
    assert (config.cert_data, config.key_data, config.namespace) == (b"CERT", b"KEY", "work")
    assert config.ca_file == str(kubeconfig.parent / "ca.crt")
    assert config.tls_server_name == "kubernetes"
    assert "KEY" not in repr(config)


def test_another_context_with_files(kubeconfig: Path) -> None:
    config = Config.from_kubeconfig(kubeconfig, "two")
    assert (config.token_file, config.insecure_skip_tls_verify) == (str(kubeconfig.parent / "token"), True)
    assert config.namespace == "default"


def test_several_files_are_put_together(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl does: what is first found counts; a file that is not there is passed over."""
    first = tmp_path / "first"
    first.write_text(
        "contexts: [{name: mine, context: {cluster: c2, user: u2, namespace: here}}]\ncurrent-context: mine\n"
    )
    monkeypatch.setenv("KUBECONFIG", f":{tmp_path}/none:{first}:{kubeconfig}")
    config = Config.from_kubeconfig()
    assert (config.server, config.namespace) == ("http://127.0.0.1:8080", "here")
    assert Config.from_kubeconfig("", "one").server == "https://127.0.0.1:6443"
    with pytest.raises(ConfigError, match=f"kubeconfig {first}, {kubeconfig}: context 'x' does not exist"):
        Config.from_kubeconfig("", "x")


@pytest.mark.parametrize(
    ("context", "message"),
    [("none", "context 'none' does not exist"), ("lost", "cluster 'nowhere' does not exist")],
)
def test_what_is_missing_is_named(kubeconfig: Path, context: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.from_kubeconfig(kubeconfig, context)


def test_the_environment_names_the_file(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{kubeconfig.parent}/missing:{kubeconfig}")
    assert Config.from_kubeconfig().namespace == "work"


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    clock, file = FakeClock(), tmp_path / "token"
    file.write_text("one\n")
    credentials = Credentials(Config(servers=("http://localhost",), token_file=str(file)), clock)
    assert credentials.token() == "one"
    file.write_text("two\n")
    assert credentials.token() == "one"
    await clock.advance(11)
    assert credentials.token() == "two"
    file.unlink()
    await clock.advance(11)
    assert credentials.token() == "two"


def test_unusable_certificates_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.crt").write_text("no certificate")
    config = Config(servers=("https://localhost",), ca_file=str(tmp_path / "bad.crt"))
    with pytest.raises(ConfigError, match="https://localhost"):
        config.ssl_context()
