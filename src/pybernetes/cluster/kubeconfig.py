"""Kubeconfig files: one per component, and the entry in the user's own that makes `kubectl` work at once."""

import base64
import contextlib
import errno
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybernetes.cluster import locks
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.files import write_private
from pybernetes.cluster.node import Node
from pybernetes.cluster.owner import Owner as Owner
from pybernetes.cluster.owner import acting_as
from pybernetes.cluster.owner import caller as caller
from pybernetes.cluster.owner import user_path as user_path
from pybernetes.cluster.profile import Profile

OTHER = "mend the file, or name another one in $KUBECONFIG"
SECTIONS = ("clusters", "contexts", "users")
LOCK_SECONDS = 60.0
"""Twenty clusters that come up at once on a busy machine take some seconds over it."""
PLACES = "kubeconfigs.json"
"""Under the profile's state: whose kubeconfigs hold the cluster."""


class KubeconfigError(ClusterError):
    """The user's kubeconfig cannot be read or written; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of the bootstrap RBAC policy."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = Identity("kubernetes-admin", ("system:masters",))
ADMIN_HEADERS = {"X-Remote-User": ADMIN.name, "X-Remote-Group": ADMIN.groups[0]}
"""By which the API server's own socket, that only the owner can open, is told who asks."""
SIMULATOR = Identity("system:node-simulator")
COMPONENTS = {
    "manager": Identity("system:kube-controller-manager", ("system:masters",)),
    "ingress": Identity("system:pybernetes:ingress"),
}
"""By the names of their kubeconfigs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A user's kubeconfig that holds a cluster."""

    path: Path
    owner: Owner


def entry(profile: Profile, component: str) -> dict[str, Any]:
    """A whole kubeconfig whose context is the profile's name, certificates inline: for who takes a copy."""

    def inline(name: str) -> str:
        return base64.b64encode((profile.certificates / name).read_bytes()).decode()

    user = {
        "client-certificate-data": inline(f"{component}.crt"),
        "client-key-data": inline(f"{component}.key"),
    }
    return _config(profile, {"server": profile.server, "certificate-authority-data": inline("ca.crt")}, user)


def local(profile: Profile, identity: Identity) -> dict[str, Any]:
    """A whole kubeconfig for a component of this machine: the API server's socket believes who it says it is."""
    user = {"as": identity.name, "as-groups": list(identity.groups)}
    return _config(profile, {"server": f"unix://{profile.api_socket}"}, user)


def _config(profile: Profile, cluster: dict[str, str], user: dict[str, Any]) -> dict[str, Any]:
    name = profile.name
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
    """The credentials files that the components are started with, and one for the administrator to copy.

    They are JSON, which is YAML too: a start has no time to load a YAML parser into every process.
    """
    identities = COMPONENTS | ({"simulator": SIMULATOR} if profile.simulates else {})
    for node in profile.nodes:
        identities |= identities_of(node)
    for file, identity in identities.items():
        write_private(profile.kubeconfig(file), _as_json(local(profile, identity)))
    write_private(profile.kubeconfig("admin"), _as_json(entry(profile, "admin")))


def identities_of(node: Node) -> dict[str, Identity]:
    """The kubeconfigs of a node's components, and who they are. All proxies are one user."""
    return {
        node.named("kubelet"): Identity(f"system:node:{node.name}", ("system:nodes",)),
        node.named("proxy"): Identity("system:kube-proxy"),
    }


def add_to_user(profile: Profile, owner: Owner) -> Path:
    """Put the cluster into the caller's kubeconfig and make its context current; returns the file.

    The place is remembered, for renewals and for the cluster's end.
    """
    place, added = Place(user_path(owner), owner), entry(profile, "admin")
    with _changing(place):
        stored = _read(place.path)
        for section, items in added.items():
            if isinstance(items, list):
                others = [item for item in stored.get(section) or [] if item.get("name") != profile.name]
                stored[section] = [*others, *items]
            elif section == "current-context" or section not in stored:
                stored[section] = items
        _write(place.path, stored)
    known = places(profile)
    if place not in known:
        _remember(profile, [other for other in known if other.path != place.path] + [place])
    return place.path


def refresh(profile: Profile, place: Place) -> None:
    """Give the entry its certificate of today; where the user has taken the entry out, nothing is put back."""
    renewed = entry(profile, "admin")["users"][0]
    with _changing(place):
        stored = _read(place.path)
        users = stored.get("users") or []
        if any(user.get("name") == profile.name for user in users):
            stored["users"] = [renewed if user.get("name") == profile.name else user for user in users]
            _write(place.path, stored)


def remove_from_users(profile: Profile, owner: Owner) -> None:
    """Take the cluster out of every kubeconfig that it was put into; other entries stay as they are."""
    for place in {*places(profile), Place(user_path(owner), owner)}:
        with acting_as(place.owner):
            exists = place.path.exists()
        if exists:
            with _changing(place):
                _remove(profile, place.path)


@contextlib.contextmanager
def _changing(place: Place) -> Iterator[None]:
    """As its owner, and alone: clusters come and go at the same time. Raises KubeconfigError."""
    import yaml  # noqa: F401 - before others wait

    path, deadline = place.path, time.monotonic() + LOCK_SECONDS

    def check() -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, "somebody else does not come to an end of changing it")

    with acting_as(place.owner), contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, mode=0o755, exist_ok=True)
            stack.enter_context(locks.held(path.with_name(f".{path.name}.p8s.lock"), check=check))
        except OSError as error:
            raise KubeconfigError(f"{path}: {error.strerror}", OTHER) from error
        yield


def _remove(profile: Profile, path: Path) -> None:
    stored = _read(path)
    found = [item for section in SECTIONS for item in stored.get(section) or [] if item.get("name") == profile.name]
    if not found:
        return
    for section in SECTIONS:
        stored[section] = [item for item in stored.get(section) or [] if item.get("name") != profile.name]
    if stored.get("current-context") == profile.name:
        stored["current-context"] = ""
    _write(path, stored)


def places(profile: Profile) -> list[Place]:
    """The users' kubeconfigs that the cluster was put into. What cannot be read names none."""
    try:
        noted = json.loads((profile.state / PLACES).read_text())
        return [Place(Path(n["path"]), Owner(int(n["uid"]), int(n["gid"]), Path(n["home"]))) for n in noted]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _remember(profile: Profile, known: list[Place]) -> None:
    noted = [
        {"path": str(p.path), "uid": p.owner.uid, "gid": p.owner.gid, "home": str(p.owner.home)} for p in known
    ]  # fmt: skip
    write_private(profile.state / PLACES, json.dumps(noted, indent=2).encode() + b"\n")


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        stored = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KubeconfigError(f"{path}: {error.strerror}", OTHER) from error
    except (ValueError, yaml.YAMLError) as error:
        raise KubeconfigError(f"{path}: {' '.join(str(error).split())}", OTHER) from error
    if stored is None:
        return {}
    if not isinstance(stored, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig", OTHER)
    for section in SECTIONS:
        items = stored.get(section) or []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise KubeconfigError(f"{path}: {section} is not a list of objects with names", OTHER)
    return stored


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        write_private(path, _dump(content))
    except OSError as error:
        raise KubeconfigError(f"{path}: {error.strerror}", OTHER) from error


def _as_json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"


def _dump(content: dict[str, Any]) -> bytes:
    import yaml

    text: str = yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
    return text.encode()
