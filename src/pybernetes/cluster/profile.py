"""A profile: one cluster of this machine, with its name, its addresses and its places on disk."""

import contextlib
import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pybernetes.cluster import ranges
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.node import Member, Node

DEFAULT = "pybernetes"
STATE = Path("/var/lib/pybernetes")
RUN = Path("/run/pybernetes")
"""Root's. Everybody else has clusters of their own, which neither root nor others see."""
FILE = "profile.json"
"""The settings, in the directories of a profile."""
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class ProfileError(ClusterError):
    """The profile's name or its stored settings cannot be used; the message says why."""


class ProfileNameError(ProfileError):
    """No profile can have that name."""

    is_usage = True


@dataclass(frozen=True, slots=True)
class Settings:
    """What `p8s start` was told, kept from the first start on. Addresses are the cluster's own (design, section 2)."""

    index: int = 0
    api_port: int = 6443
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    node_ports: str = "30000-32767"
    cluster_domain: str = "cluster.local"
    store: str = "sqlite"
    oci_runtime: str = "auto"
    registry_mirrors: list[str] = field(default_factory=list)
    insecure_registries: list[str] = field(default_factory=list)
    extra_config: list[str] = field(default_factory=list)
    """`COMPONENT.FLAG=VALUE`: flags of components beside those that a cluster gives them itself."""
    registry_port: int = 5000
    """Of the cluster's own registry, on 127.0.0.1."""
    disabled_addons: list[str] = field(default_factory=list)
    """Names of `cluster/addons.py` that something else takes care of."""
    nodes: list[Member] = field(default_factory=list)
    """The nodes of this machine beside the first."""
    simulated: bool = False
    """No node is real: nothing of this machine is needed but some ports on loopback."""
    simulated_nodes: int = 0
    """How many there were at the first start; what there is now, the API server knows."""
    stages: str = ""
    """The rules for simulated pods and nodes, in YAML."""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Settings":
        """As they were kept. Raises TypeError or ValueError if it was not this version that kept them."""
        if not isinstance(stored, dict) or "index" not in stored:
            raise TypeError("there is no index")
        found = cls(**{**stored, "nodes": [Member(**each) for each in stored.get("nodes", [])]})
        plain = cls()
        for each in fields(cls):
            if type(value := getattr(found, each.name)) is not type(getattr(plain, each.name)):
                raise TypeError(f"{each.name} is {value!r}")
        for text in found.ranges:
            ipaddress.IPv4Network(text)
        return found

    @classmethod
    def for_index(cls, index: int) -> "Settings":
        """Ports and ranges that no other profile of this machine has, for an index below ranges.COUNT."""
        pods, services = ranges.of_index(index)
        return cls(index=index, api_port=6443 + index, registry_port=5000 + index, pod_cidr=pods, service_cidr=services)

    @property
    def ranges(self) -> tuple[str, str]:
        return self.pod_cidr, self.service_cidr


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile and the paths that follow from its name. All directories are 0700."""

    name: str
    settings: Settings
    state: Path
    run: Path

    def extra_flags(self, component: str) -> list[str]:
        """The flags that the user has given a component, by its name as a command."""
        given = (each.split(".", 1) for each in self.settings.extra_config)
        return [f"--{flag}" for name, flag in given if name == component]

    @property
    def certificates(self) -> Path:
        return self.state / "pki"

    @property
    def api_socket(self) -> Path:
        """Where the components of this machine ask the API server."""
        return self.run / "apiserver.sock"

    @property
    def ingress_socket(self) -> Path:
        """Whoever is connected to it keeps the ingress process running."""
        return self.run / "ingress.sock"

    @property
    def ingress_report(self) -> Path:
        """Where Ingresses are served, as JSON, while there are any."""
        return self.run / "ingress.json"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def node_name(self) -> str:
        """The first node's."""
        return self.name

    @property
    def bridge(self) -> str:
        """The name of the node's bridge: at most 15 characters (IFNAMSIZ)."""
        return f"p8s{self.settings.index}"

    @property
    def node_address(self) -> str:
        """The first node's address, where pods and the other nodes find the API server."""
        return self.first_node.address

    @property
    def first_node(self) -> Node:
        return Node(self, self.node_name)

    @property
    def nodes(self) -> list[Node]:
        """The nodes of this machine, the first first; none in a cluster whose nodes are simulated."""
        if self.settings.simulated:
            return []
        return [self.first_node, *(Node(self, each.name, each.number, each.stopped) for each in self.settings.nodes)]

    @property
    def simulates(self) -> bool:
        """Whether there is a simulator."""
        return self.settings.simulated or self.settings.simulated_nodes > 0

    @property
    def api_service_address(self) -> str:
        return str(ipaddress.IPv4Network(self.settings.service_cidr)[1])

    @property
    def dns_address(self) -> str:
        return str(ipaddress.IPv4Network(self.settings.service_cidr)[10])

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.settings.api_port}"

    def kubeconfig(self, component: str) -> Path:
        """The credentials file of a component."""
        return self.certificates / f"{component}.kubeconfig"

    def changed(self, changes: Mapping[str, Any]) -> "Profile":
        """With other settings; what the changes do not name stays as it was."""
        return replace(self, settings=replace(self.settings, **changes))

    def reread(self) -> "Profile":
        """With the settings as they are kept now: nodes come and go under a running cluster."""
        return replace(self, settings=Settings.of(json.loads((self.state / FILE).read_text())))

    def exists(self) -> bool:
        return (self.state / FILE).exists()

    def save(self) -> None:
        """Make the directories and keep the settings; atomic.

        A copy lies where the sockets are, and lives as long as what the cluster has in the kernel.
        """
        for directory in (self.state, self.run, self.certificates, self.logs):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps(asdict(self.settings), indent=2) + "\n"
        for place in (self.run, self.state):
            temporary = place / f"{FILE}.new"
            temporary.write_text(text)
            temporary.replace(place / FILE)


def state_root() -> Path:
    """Where the caller's profiles keep their state: root's with the system's, anybody else's in their home."""
    if os.geteuid() == 0:
        return STATE
    given = os.environ.get("XDG_STATE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".local" / "state") / "pybernetes"


def run_root() -> Path:
    """Where the caller's profiles have their sockets and pids.

    Not in $XDG_RUNTIME_DIR: a shell without a session (ssh, cron) would not find the cluster that another has started.
    """
    return RUN if os.geteuid() == 0 else state_root() / ".run"


def check_name(name: str) -> str:
    """Raises ProfileError unless the name can be a file, a host name and a part of a link's name."""
    if not NAME.fullmatch(name):
        raise ProfileNameError(
            f"profile name {name!r} is not valid", "use lower-case letters, digits and '-', at most 40 characters"
        )
    return name


def load(name: str) -> Profile:
    """The profile as stored, or a new one with ranges of its own (nothing is written until `save`)."""
    state, run = state_root() / check_name(name), run_root() / name
    try:
        return Profile(name, _read(state), state, run)
    except FileNotFoundError:
        return Profile(name, _free_settings(), state, run)
    except (TypeError, ValueError) as error:
        raise damaged(name, state, run, str(error)) from error


def load_remains(name: str) -> Profile:
    """For its deletion: also one that is damaged. Where the copy is gone too, the machine has been started anew."""
    state, run = state_root() / check_name(name), run_root() / name
    for place in (state, run):
        with contextlib.suppress(OSError, TypeError, ValueError):
            return Profile(name, _read(place), state, run)
    return Profile(name, _free_settings(), state, run)


def has_remains(name: str) -> bool:
    """Whether there is anything of such a profile, whatever is left of it."""
    return any((root / name).is_dir() for root in (state_root(), run_root()))


def _read(place: Path) -> Settings:
    """Raises FileNotFoundError, TypeError, ValueError."""
    return Settings.of(json.loads((place / FILE).read_text()))


def _free_settings() -> Settings:
    """The first that no other profile has, and whose ranges lead nowhere else on this machine. Raises ProfileError."""
    taken, others = set(taken_indexes()), ranges.of_machine()
    for index in range(ranges.COUNT):
        settings = Settings.for_index(index)
        if index not in taken and not ranges.colliding(settings.ranges, others):
            return settings
    raise ProfileError(
        f"no ranges of addresses are free: {len(taken)} of {ranges.COUNT} belong to other profiles, "
        f"and this machine has routes of its own: {ranges.shown(others)}",
        "p8s profile list, p8s delete --profile NAME",
    )


def damaged(name: str, state: Path, run: Path, why: str) -> ProfileError:
    """With the way back where there is a copy, and the way out."""
    remove = f"p8s delete --profile {name}"
    try:
        _read(run)
    except (OSError, TypeError, ValueError):
        return ProfileError(f"{state / FILE} is damaged: {why}", f"restore it, or remove the cluster: {remove}")
    return ProfileError(
        f"{state / FILE} is damaged: {why}", f"cp {run / FILE} {state / FILE}; or remove the cluster: {remove}"
    )


def taken_indexes() -> Iterator[int]:
    """Those of all profiles, also of such as this version cannot read in full."""
    for name in profile_names():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            yield int(json.loads((state_root() / name / FILE).read_text()).get("index", 0))


def taken_ports() -> Iterator[int]:
    """Those of this machine's loopback that profiles have, whether they run or not."""
    for name in profile_names():
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            kept = json.loads((state_root() / name / FILE).read_text())
            yield int(kept.get("api_port", 0))
            yield int(kept.get("registry_port", 0))


def list_profiles() -> list[Profile]:
    """Every profile of the caller, by name. Raises ProfileError if one is damaged."""
    return [load(name) for name in profile_names()]


def is_roots(name: str) -> bool:
    """Whether root has a cluster of this name, for others: they see that it is there, and nothing of it."""
    return os.geteuid() != 0 and (STATE / name).is_dir()


def profile_names() -> list[str]:
    """The names of the caller's profiles."""
    try:
        root = state_root()
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except (FileNotFoundError, PermissionError):
        return []
    return [name for name in names if (root / name / FILE).exists()]
