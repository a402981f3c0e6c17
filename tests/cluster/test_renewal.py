"""Certificates renewed while the cluster runs: by their own time, and when the clock jumps."""

from __future__ import annotations

import base64
import os
import select
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from tests.live import LiveCluster

from pybernetes.cluster import kubeconfig, pidfile
from pybernetes.cluster.certificates import Certificates, Validity, requests
from pybernetes.cluster.control import request
from pybernetes.cluster.profile import Profile, Settings
from pybernetes.cluster.renewal import Renewal
from pybernetes.cluster.walltimer import WallTimer

SHORT = timedelta(seconds=10)
NOBODY = 65534


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    profile = Profile("test", Settings(), tmp_path / "state", tmp_path / "run")
    profile.save()
    Certificates(profile).ensure()
    kubeconfig.write_components(profile)
    return profile


def certificate(profile: Profile, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((profile.certificates / f"{name}.crt").read_bytes())


def user_of(path: Path, name: str = "test") -> Any:
    return next(user["user"] for user in yaml.safe_load(path.read_text())["users"] if user["name"] == name)


def test_due_before_the_first_one_ends(profile: Profile) -> None:
    Certificates(profile, validity=Validity(timedelta(seconds=100), timedelta(0))).ensure()
    left = Renewal(profile).due() - time.time()
    assert timedelta(days=273).total_seconds() < left < timedelta(days=275).total_seconds()
    (profile.certificates / "kubelet-server.crt").unlink()
    Certificates(profile, validity=Validity(timedelta(seconds=100), timedelta(0))).ensure()
    assert 70 < Renewal(profile).due() - time.time() < 76
    (profile.certificates / "kubelet-server.crt").write_text("damaged")
    assert Renewal(profile).due() < time.time()


def test_renewal_that_was_cut_off_between_key_and_certificate_is_made_good(profile: Profile) -> None:
    (profile.certificates / "front-proxy-client.key").write_bytes(
        (profile.certificates / "kubelet-server.key").read_bytes()
    )
    assert Certificates(profile).ensure() == ["front-proxy-client"]


@pytest.mark.parametrize("jump", [timedelta(days=366), timedelta(days=3000), -timedelta(days=365)])
def test_jump_of_the_clock(profile: Profile, jump: timedelta) -> None:
    """Everything holds at the new time, the authority too, and every copy of a certificate is the new one."""
    path = kubeconfig.add_to_user(profile, kubeconfig.caller())
    now = datetime.now(UTC) + jump
    Renewal(profile).run(now)
    for name in ("ca", "front-proxy-ca", *(made.name for made in requests(profile))):
        found = certificate(profile, name)
        assert found.not_valid_before_utc <= now < found.not_valid_after_utc, name
    copies = [user_of(path), user_of(profile.kubeconfig("admin"))]
    admin = (profile.certificates / "admin.crt").read_bytes()
    assert [base64.b64decode(copy["client-certificate-data"]) for copy in copies] == [admin, admin]


def test_entry_that_the_user_took_out_is_not_put_back(profile: Profile) -> None:
    path = kubeconfig.add_to_user(profile, kubeconfig.caller())
    path.write_text(yaml.safe_dump({"users": [{"name": "other", "user": {}}]}))
    Renewal(profile).run(datetime.now(UTC) + timedelta(days=400))
    assert yaml.safe_load(path.read_text()) == {"users": [{"name": "other", "user": {}}]}


def test_kubeconfig_of_another_is_written_as_that_user(profile: Profile, tmp_path: Path) -> None:
    """A link that the user has put in place of a folder of theirs leads nowhere they could not write themselves."""
    home, secret = tmp_path / "home", tmp_path / "secret"
    for folder in (home, secret):
        folder.mkdir()
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o111)
    secret.chmod(0o700)
    os.chown(home, NOBODY, NOBODY)
    owner = kubeconfig.Owner(NOBODY, NOBODY, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(home / "kube" / "config"))
        path = kubeconfig.add_to_user(profile, owner)
    assert path.stat().st_uid == path.parent.stat().st_uid == NOBODY
    content = path.read_bytes()
    (secret / "config").write_bytes(content)
    path.parent.rename(home / "moved")
    path.parent.symlink_to(secret)
    Renewal(profile).run(datetime.now(UTC) + timedelta(days=400))
    assert (secret / "config").read_bytes() == content
    assert os.geteuid() == 0


def test_timer_goes_off_at_its_moment_and_for_a_set_clock() -> None:
    with WallTimer() as timer:
        timer.arm(time.time() + 3600)
        assert not readable(timer, 0)
        state = Path(f"/proc/self/fdinfo/{timer.fileno()}").read_text()
        assert "clockid: 0" in state, "the wall clock"
        assert "settime flags: 03" in state, "at an absolute moment, and cancelled when the clock is set"
        timer.arm(time.time() - 5)
        assert readable(timer, 1)
        timer.acknowledge()
        assert not readable(timer, 0)


def readable(timer: WallTimer, seconds: float) -> bool:
    return bool(select.select([timer], [], [], seconds)[0])


@pytest.mark.live
def test_running_processes_take_up_renewed_certificates(cluster: LiveCluster) -> None:
    """Certificates of seconds: requests go on past their end, through the same processes and containers."""
    profile = cluster.profile
    cluster.kubectl("run", "web", "--image=nginx")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    status = cluster.get("pod", "web")["status"]["containerStatuses"][0]
    for made in requests(profile):
        (profile.certificates / f"{made.name}.crt").unlink()
    ends = datetime.now(UTC) + SHORT
    Certificates(profile, validity=Validity(SHORT, timedelta(0))).ensure()
    kubeconfig.write_components(profile)
    cluster.p8s("restart")
    short = certificate(profile, "apiserver")
    started = components(profile)
    failed = []
    while datetime.now(UTC) < ends + timedelta(seconds=1):
        for command in (["get", "pods"], ["logs", "web"]):
            done = subprocess.run(["kubectl", *command], env=cluster.environment, capture_output=True, text=True)
            failed += [done.stderr] if done.returncode else []
        time.sleep(0.2)
    assert failed == []
    assert certificate(profile, "apiserver").serial_number != short.serial_number
    assert components(profile) == started
    os.kill(pidfile.read(profile.run / "apiserver.pid"), signal.SIGKILL)
    while subprocess.run(["kubectl", "get", "--raw=/readyz"], env=cluster.environment, capture_output=True).returncode:
        time.sleep(0.05)
    cluster.kubectl("run", "after", "--image=nginx")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/after", "--timeout=30s")
    assert cluster.get("pod", "web")["status"]["containerStatuses"][0] == status


def components(profile: Profile) -> list[tuple[str, int]]:
    return [(each["name"], each["pid"]) for each in request(profile, "status")["components"]]
