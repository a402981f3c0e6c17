"""Certificates and kubeconfigs: who is who, renewal in time, and the user's own file left intact."""

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from pybernetes.cluster import kubeconfig, ranges
from pybernetes.cluster.certificates import Certificates
from pybernetes.cluster.profile import Profile, ProfileError, Settings, check_name


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    profile = Profile("test", Settings(), tmp_path / "state", tmp_path / "run")
    profile.save()
    return profile


def load(profile: Profile, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((profile.certificates / f"{name}.crt").read_bytes())


def test_identities_are_those_of_the_bootstrap_policy(profile: Profile) -> None:
    Certificates(profile).ensure()
    subject = load(profile, "kubelet-server").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:test"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"
    names = load(profile, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.96.0.1", "10.244.0.1"}


def test_every_certificate_is_signed_by_its_authority(profile: Profile) -> None:
    for name in Certificates(profile).ensure():
        authority = "front-proxy-ca" if name.startswith("front-proxy") else "ca"
        load(profile, name).verify_directly_issued_by(load(profile, authority))


def test_only_the_owner_reads_keys(profile: Profile) -> None:
    Certificates(profile).ensure()
    assert {path.stat().st_mode & 0o777 for path in profile.certificates.iterdir()} == {0o600}
    assert profile.certificates.stat().st_mode & 0o777 == 0o700


def test_second_start_makes_nothing(profile: Profile) -> None:
    Certificates(profile).ensure()
    assert Certificates(profile).ensure() == []


@pytest.mark.parametrize("later", [timedelta(days=300), timedelta(days=400), -timedelta(days=30)])
def test_renewed_before_expiry_and_after_a_jump_of_the_clock(profile: Profile, later: timedelta) -> None:
    Certificates(profile).ensure()
    before = load(profile, "ca")
    made = Certificates(profile, datetime.now(UTC) + later).ensure()
    assert "apiserver" in made
    assert "ca" not in made
    assert load(profile, "ca") == before


def test_kubeconfig_keeps_what_others_put_there(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kube" / "config"
    monkeypatch.setenv("KUBECONFIG", str(path))
    Certificates(profile).ensure()
    other = {"name": "other", "context": {"cluster": "other", "user": "other"}}
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"contexts": [other], "current-context": "other"}))
    for _ in range(2):
        assert kubeconfig.add_to_user(profile, kubeconfig.caller()) == path
    written = yaml.safe_load(path.read_text())
    assert [context["name"] for context in written["contexts"]] == ["other", "test"]
    assert written["current-context"] == "test"
    user = written["users"][0]["user"]
    assert base64.b64decode(user["client-certificate-data"]) == (profile.certificates / "admin.crt").read_bytes()
    kubeconfig.remove_from_users(profile, kubeconfig.caller())
    written = yaml.safe_load(path.read_text())
    assert [context["name"] for context in written["contexts"]] == ["other"]
    assert written["current-context"] == ""
    assert path.stat().st_mode & 0o777 == 0o600


def test_damaged_kubeconfig_is_left_alone(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    Certificates(profile).ensure()
    (tmp_path / "config").write_text("a: [")
    with pytest.raises(kubeconfig.KubeconfigError):
        kubeconfig.add_to_user(profile, kubeconfig.caller())
    assert (tmp_path / "config").read_text() == "a: ["


def test_profiles_have_ranges_of_their_own() -> None:
    settings = [Settings.for_index(index) for index in range(ranges.COUNT)]
    networks = sorted(IPv4Network(each) for one in settings for each in one.ranges)
    assert len(networks) == 2 * ranges.COUNT
    assert not any(one.overlaps(following) for one, following in pairwise(networks))


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-a", "a" * 41])
def test_names_that_could_not_be_a_directory_are_refused(name: str) -> None:
    with pytest.raises(ProfileError, match="not valid"):
        check_name(name)
