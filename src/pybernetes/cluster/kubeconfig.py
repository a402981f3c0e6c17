"""Kubeconfig files: one per component, and the entry in the user's own that makes `kubectl` work at once."""

import base64
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pybernetes.cluster.certificates import write_private
from pybernetes.cluster.profile import Profile

COMPONENTS = ("admin", "manager", "kubelet", "proxy")


class KubeconfigError(Exception):
    """The user's kubeconfig cannot be read or written; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who called `p8s`, through sudo or not: the kubeconfig goes to their home and belongs to them."""

    uid: int
    gid: int
    home: Path


def caller() -> Owner:
    uid = int(os.environ.get("SUDO_UID", os.getuid()))
    entry = pwd.getpwuid(uid)
    home = Path(entry.pw_dir if "SUDO_UID" in os.environ else os.environ.get("HOME", entry.pw_dir))
    return Owner(uid, entry.pw_gid, home)


def user_path(owner: Owner) -> Path:
    """$KUBECONFIG's first file, else ~/.kube/config of the caller."""
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(first) if first else owner.home / ".kube" / "config"


def entry(profile: Profile, component: str) -> dict[str, Any]:
    """A whole kubeconfig whose context is the profile's name, certificates inline."""

    def inline(name: str) -> str:
        return base64.b64encode((profile.certificates / name).read_bytes()).decode()

    name = profile.name
    user = {
        "client-certificate-data": inline(f"{component}.crt"),
        "client-key-data": inline(f"{component}.key"),
    }
    cluster = {"certificate-authority-data": inline("ca.crt"), "server": profile.server}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
        "users": [{"name": name, "user": user}],
    }


def write_components(profile: Profile) -> None:
    """The credentials files that the components are started with."""
    for component in COMPONENTS:
        write_private(profile.kubeconfig(component), _dump(entry(profile, component)))


def add_to_user(profile: Profile, owner: Owner) -> Path:
    """Put the cluster into the caller's kubeconfig and make its context current; returns the file."""
    path = user_path(owner)
    stored = _read(path)
    for section, items in entry(profile, "admin").items():
        if isinstance(items, list):
            others = [item for item in stored.get(section) or [] if item.get("name") != profile.name]
            stored[section] = [*others, *items]
        elif section == "current-context" or section not in stored:
            stored[section] = items
    _write_owned(path, stored, owner)
    return path


def remove_from_user(profile: Profile, owner: Owner) -> None:
    """Take the cluster out again; other entries stay as they are."""
    path = user_path(owner)
    if not path.exists():
        return
    stored = _read(path)
    for section in ("clusters", "contexts", "users"):
        stored[section] = [item for item in stored.get(section) or [] if item.get("name") != profile.name]
    if stored.get("current-context") == profile.name:
        stored["current-context"] = ""
    _write_owned(path, stored, owner)


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise KubeconfigError(f"{path}: {error}") from error
    if stored is None:
        return {}
    if not isinstance(stored, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig")
    return stored


def _write_owned(path: Path, content: dict[str, Any], owner: Owner) -> None:
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=0o755)
            os.chown(path.parent, owner.uid, owner.gid)
        write_private(path, _dump(content))
        os.chown(path, owner.uid, owner.gid)
    except OSError as error:
        raise KubeconfigError(f"{path}: {error.strerror}") from error


def _dump(content: dict[str, Any]) -> bytes:
    text: str = yaml.safe_dump(content, sort_keys=False)
    return text.encode()
